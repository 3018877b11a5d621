"""Shell commands and scripts, run in the machine."""

from packerpy.provisioners.shell.specs import Shell

__all__ = ["Shell"]
