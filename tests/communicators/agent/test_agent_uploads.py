"""Large uploads go over SSH where that works, else through the agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import attrs
import pytest

from packerpy.communicators.agent import GuestAgent, uploads
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.communicators.ssh import SSH
from packerpy.testing import TestRun
from packerpy.values import Command, Endpoint
from tests.communicators.agent.agent_process import Agent
from tests.communicators.ssh.sshd_server import Sshd

pytestmark = pytest.mark.root

SIZE = 1_000_000


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server on the agent's machine, and a low bar for what is large."""
    monkeypatch.setattr(uploads, "LARGE", SIZE)
    server = Sshd(tmp_path / "sshd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file that is just large enough."""
    path = tmp_path / "big"
    path.write_bytes(os.urandom(SIZE))
    return path


def connect(agent: Agent, run: TestRun, endpoint: Endpoint, spec: GuestAgent | None = None) -> AgentChannel:
    """A channel to a machine that has both."""
    machine = attrs.evolve(agent.machine, endpoint=attrs.evolve(endpoint, path=agent.socket))
    spec = spec or GuestAgent(timeout=20, network=0)
    channel = spec.load().connect(run, machine)
    assert isinstance(channel, AgentChannel)
    return channel


def logins(sshd: Sshd) -> int:
    """How often somebody logged in."""
    return sshd.said().count("Accepted publickey")


def put(channel: AgentChannel, big: Path, target: Path) -> None:
    """Upload, and look at what arrived; the spool folder is gone."""
    channel.put(big, PurePosixPath(target), mode=0o640)
    assert target.read_bytes() == big.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o640


def test_large_uploads_go_over_ssh(agent: Agent, sshd: Sshd, run: TestRun, big: Path, tmp_path: Path) -> None:
    """Files, folders and input of commands over one login, which is made when it is first needed."""
    channel = connect(agent, run, sshd.machine().endpoint)
    (tmp_path / "small").write_bytes(big.read_bytes()[: SIZE - 1])
    channel.put(tmp_path / "small", PurePosixPath(tmp_path / "there"))
    assert logins(sshd) == 0
    put(channel, big, tmp_path / "there")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "inside").write_bytes(big.read_bytes())
    channel.put_tree(tmp_path / "tree", PurePosixPath(tmp_path / "tree there"))
    assert (tmp_path / "tree there" / "inside").read_bytes() == big.read_bytes()
    assert channel.run(Command(line="wc -c", stdin=big.read_bytes())).stdout.strip() == str(SIZE)
    assert logins(sshd) == 1
    assert len(sshd.children()) == 1
    channel.close()


def test_where_ssh_does_not_work(agent: Agent, sshd: Sshd, run: TestRun, big: Path, tmp_path: Path) -> None:
    """The agent takes over, the user is told once, and after a reconnect it is tried again."""
    spec = GuestAgent(timeout=20, network=0, uploads=SSH(timeout=1))
    channel = connect(agent, run, sshd.machine().endpoint, spec)
    sshd.stop()
    for _ in range(2):
        put(channel, big, tmp_path / "there")
    assert str(run.events).count("as SSH does not work") == 1
    sshd.start()
    channel.reconnect(20)
    put(channel, big, tmp_path / "there")
    assert logins(sshd) == 1
    channel.close()


def test_a_connection_that_is_lost(agent: Agent, sshd: Sshd, run: TestRun, big: Path, tmp_path: Path) -> None:
    """What was sent already is sent again, through the agent."""
    channel = connect(agent, run, sshd.machine().endpoint)
    put(channel, big, tmp_path / "first")
    sshd.hang_up()
    put(channel, big, tmp_path / "there")
    assert "as SSH does not work" in str(run.events)
    channel.close()


@pytest.mark.parametrize("how", ["no key", "told not to"])
def test_where_it_is_not_tried(agent: Agent, sshd: Sshd, run: TestRun, big: Path, tmp_path: Path, how: str) -> None:
    """Without any key, or where the declaration says so, there is no attempt, and nothing is said."""
    endpoint = sshd.machine(key_file=None if how == "no key" else sshd.user_key.private).endpoint
    spec = GuestAgent(timeout=20, network=0) if how == "no key" else GuestAgent(timeout=20, network=0, uploads=None)
    channel = connect(agent, run, endpoint, spec)
    put(channel, big, tmp_path / "there")
    assert "Connection from" not in sshd.said()
    assert "SSH" not in str(run.events)
    channel.close()
