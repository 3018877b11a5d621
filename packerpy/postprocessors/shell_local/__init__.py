"""Commands of the host, told what was built."""

from packerpy.postprocessors.shell_local.specs import ShellLocal

__all__ = ["ShellLocal"]
