"""Commands and scripts on the host, in the middle of a build."""

from packerpy.provisioners.shell_local.specs import ShellLocal

__all__ = ["ShellLocal"]
