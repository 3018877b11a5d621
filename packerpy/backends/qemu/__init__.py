"""Machines in QEMU on this host."""

from packerpy.backends.qemu.specs import Qemu

__all__ = ["Qemu"]
