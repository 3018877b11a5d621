"""The SSH communicator's fixtures, for steps over a real channel; and a tree with tools in it."""

from tests.communicators.ssh.network import network
from tests.communicators.ssh.password_server import passwords
from tests.communicators.ssh.sshd_server import channel, run, sshd
from tests.provisioners.tree import tools_tree

__all__ = ["channel", "network", "passwords", "run", "sshd", "tools_tree"]
