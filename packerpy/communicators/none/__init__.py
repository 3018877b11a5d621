"""Machines that nobody talks to."""

from packerpy.communicators.none.specs import NoCommunicator

__all__ = ["NoCommunicator"]
