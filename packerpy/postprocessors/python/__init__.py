"""Plain Python functions as post-processors."""

from packerpy.postprocessors.python.specs import PostFunction

__all__ = ["PostFunction"]
