"""What can go wrong over WinRM, in our words."""

from __future__ import annotations

from packerpy.errors import CommunicatorError


class LoginRefusedError(CommunicatorError):
    """The service did not let the user in."""


class NotTrustedError(CommunicatorError):
    """The machine's certificate is not one to believe; trying again would not change that."""
