"""The SSH communicator's fixtures, for steps over a real channel."""

from tests.communicators.ssh.network import network
from tests.communicators.ssh.password_server import passwords
from tests.communicators.ssh.sshd_server import channel, run, sshd

__all__ = ["channel", "network", "passwords", "run", "sshd"]
