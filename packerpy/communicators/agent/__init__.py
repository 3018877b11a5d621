"""Machines that are reached through QEMU's guest agent, without any network."""

from packerpy.communicators.agent.specs import GuestAgent

__all__ = ["GuestAgent"]
