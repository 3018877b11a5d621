"""Scripts and restarts of Windows machines."""

from packerpy.provisioners.windows.specs import PowerShell, WindowsRestart, WindowsShell

__all__ = ["PowerShell", "WindowsRestart", "WindowsShell"]
