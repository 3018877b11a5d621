"""Where a git checkout stands."""

from packerpy.data.git_revision.specs import GitRevision

__all__ = ["GitRevision"]
