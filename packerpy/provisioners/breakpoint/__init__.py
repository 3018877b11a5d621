"""A stop in the middle of a build, to look into its machine."""

from packerpy.provisioners.breakpoint.specs import Breakpoint

__all__ = ["Breakpoint"]
