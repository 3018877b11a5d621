"""What a program of the host prints."""

from packerpy.data.command.specs import CommandData

__all__ = ["CommandData"]
