"""Windows machines that are reached over WinRM."""

from packerpy.communicators.winrm.specs import WinRM

__all__ = ["WinRM"]
