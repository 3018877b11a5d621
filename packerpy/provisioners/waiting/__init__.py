"""Steps that wait: for a time, or for the machine to start again."""

from packerpy.provisioners.waiting.specs import Reboot, Sleep

__all__ = ["Reboot", "Sleep"]
