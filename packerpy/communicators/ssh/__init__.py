"""Machines that are reached over SSH."""

from packerpy.communicators.ssh.specs import SSH
from packerpy.communicators.ssh.way import Bastion, Proxy

__all__ = ["SSH", "Bastion", "Proxy"]
