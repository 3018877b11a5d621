"""A tree of files on this host as a machine: commands run in it, isolated from the host."""

from packerpy.communicators.local.specs import Local

__all__ = ["Local"]
