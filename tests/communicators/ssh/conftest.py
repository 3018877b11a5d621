"""The fixtures of a real sshd, and of a network with one behind a gate."""

from tests.communicators.ssh.network import network
from tests.communicators.ssh.password_server import passwords
from tests.communicators.ssh.sshd_server import another_key, channel, run, sshd

__all__ = ["another_key", "channel", "network", "passwords", "run", "sshd"]
