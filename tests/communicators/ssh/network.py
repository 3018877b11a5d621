"""A small network of the test's own: this host — gate — target, where nothing but the gate sees the target.

Each of the two is a network namespace that lives as long as one process of ours; cables and addresses go with it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from packerpy.communicators.ssh import Bastion
from packerpy.kit.process import find_tool, spawn, stop
from packerpy.values import Machine
from tests.communicators.ssh.sshd_server import Sshd


class Namespace:
    """A network namespace with nothing in it but its loopback."""

    def __init__(self) -> None:
        unshare = find_tool("unshare", package="util-linux")
        # `cat` shows by its first word that the namespace is there, and ends with us.
        self._holder = spawn(
            [unshare, "--net", "--", "sh", "-c", "ip link set lo up && echo ready && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        self.pid = self._holder.pid
        self.enter = [find_tool("nsenter", package="util-linux"), "--net", f"--target={self.pid}", "--"]

    def ip(self, *arguments: str) -> None:
        """Run ``ip`` in it."""
        subprocess.run([*self.enter, "ip", *arguments], check=True, capture_output=True)

    def close(self) -> None:
        """End it and what runs in it."""
        stop(self._holder)
        for pipe in (self._holder.stdin, self._holder.stdout):
            if pipe is not None:
                pipe.close()


class Network:
    """Host, gate and target with an sshd each in gate and target."""

    def __init__(self, folder: Path) -> None:
        # All four are in one subnet as this host sees it, so a packet for the target ends in front of the gate.
        net = f"10.213.{os.getpid() % 256}"
        self.here, self.outside, self.inside, self.there = (f"{net}.{last}" for last in (1, 2, 129, 130))
        self.cable = f"pp{secrets.token_hex(5)}"
        self.gate, self.target = Namespace(), Namespace()
        _host("link", "add", self.cable, "type", "veth", "peer", "name", "out", "netns", str(self.gate.pid))
        _host("address", "add", f"{self.here}/24", "dev", self.cable)
        _host("link", "set", self.cable, "up")
        self.gate.ip("link", "add", "in", "type", "veth", "peer", "name", "eth0", "netns", str(self.target.pid))
        for namespace, address, device in (
            (self.gate, self.outside, "out"),
            (self.gate, self.inside, "in"),
            (self.target, self.there, "eth0"),
        ):
            namespace.ip("address", "add", f"{address}/25", "dev", device)
            namespace.ip("link", "set", device, "up")
        self.bastion = Sshd(folder / "bastion", address=self.outside, port=2022, prefix=self.gate.enter)
        self.machine_sshd = Sshd(folder / "machine", address=self.there, port=22, prefix=self.target.enter)
        self._programs: list[subprocess.Popen[bytes]] = []

    @property
    def machine(self) -> Machine:
        """The machine behind the gate."""
        return self.machine_sshd.machine()

    def hop(self, **changes: object) -> Bastion:
        """How to log in to the gate."""
        known = {
            "host": self.outside,
            "port": 2022,
            "user": "root",
            "key_files": self.bastion.user_key.private,
            "host_keys": self.bastion.host_key.public,
        }
        return Bastion(**{**known, **changes})  # type: ignore[arg-type]

    def at_gate(self, *command: str | Path, listens: int) -> subprocess.Popen[bytes]:
        """Start a program in the gate, and wait until it listens on a port."""
        program = spawn([*self.gate.enter, *command])
        self._programs.append(program)
        while f":{listens:04X} " not in Path(f"/proc/{self.gate.pid}/net/tcp").read_text():
            assert program.poll() is None, f"{command[0]} has ended"
            os.sched_yield()
        return program

    def close(self) -> None:
        """End everything."""
        for program in self._programs:
            stop(program)
        for server in (self.bastion, self.machine_sshd):
            server.stop()
        _host("link", "delete", self.cable)  # else it goes a moment after the namespace
        self.gate.close()
        self.target.close()


def _host(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """The network; nothing runs in it yet."""
    made = Network(tmp_path)
    yield made
    made.close()
