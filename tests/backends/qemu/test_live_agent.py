"""A real guest, spoken to through its agent alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.errors import CommunicatorError, Disconnected
from packerpy.testing import make_run
from packerpy.values import Command
from tests.guests import Booted

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def channel(booted: Booted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentChannel]:
    """To one guest for all tests, made from a disk whose artifact says that it has the agent."""
    run = make_run(tmp_path_factory.mktemp("agent"), name="web.qemu")
    try:
        source, machine = booted.clone(run)
        assert isinstance(machine.communicator, GuestAgent)
        made = machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
        assert isinstance(made, AgentChannel)
        assert made.session.resumed  # what is known of the saved machine was not asked again
        yield made
        made.close()
    finally:
        assert run.close(failed=True) == ()


def test_commands(channel: AgentChannel) -> None:
    """Streams, exit codes, input and variables arrive; the network is there when the channel is."""
    done = channel.run(Command(line='cat; echo "$V" >&2; exit 3', stdin=b"in\n", env={"V": "v"}))
    assert (done.exit_status, done.stdout, done.stderr) == (3, "in\n", "v\n")
    assert "default via" in channel.run(Command(line="ip route")).stdout
    assert channel.run(Command(line="tty", pty=True)).ok


def test_commands_outlive_the_agents_own_service(channel: AgentChannel) -> None:
    """A command is not part of the agent's service, which an upgrade of its package restarts."""
    assert "qemu-guest-agent" not in channel.run(Command(line="cat /proc/self/cgroup")).stdout


def test_a_timeout_kills_in_the_guest(channel: AgentChannel) -> None:
    """The command's processes are gone."""
    with pytest.raises(CommunicatorError, match="was killed"):
        channel.run(Command(line="sleep 4242 & sleep 4242", timeout=3))
    assert channel.run(Command(line="pgrep -f '[s]leep 4242'")).exit_status == 1


@pytest.mark.parametrize("size", [0, 2_000, 5_000_000])
def test_files(channel: AgentChannel, tmp_path: Path, size: int) -> None:
    """There and back, in one request or many."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    channel.put(source, PurePosixPath("/root/deep/file"), mode=0o640)
    assert channel.run(Command(line="stat -c '%a %s' /root/deep/file")).stdout == f"640 {size}\n"
    channel.get(PurePosixPath("/root/deep/file"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_a_tree(channel: AgentChannel, tmp_path: Path) -> None:
    """There and back; nothing of the transfer is left in the guest."""
    for number in range(300):
        path = tmp_path / "tree" / str(number % 7) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(10_000))
    channel.put_tree(tmp_path / "tree", PurePosixPath("/root/tree"))
    channel.get_tree(PurePosixPath("/root/tree"), tmp_path / "back")
    names = sorted(str(path.relative_to(tmp_path / "back")) for path in (tmp_path / "back").rglob("*"))
    assert len(names) == 307
    for name in names:
        if (tmp_path / "back" / name).is_file():
            assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "tree" / name).read_bytes()
    assert channel.run(Command(line="ls -d /var/tmp/packerpy-*")).stdout == ""


def test_a_reboot(channel: AgentChannel) -> None:
    """The channel finds the machine again, in a new boot."""
    boot = channel.session.boot
    with suppress(Disconnected):  # the machine may be faster than our next question
        channel.run(Command(line="reboot"))
    channel.reconnect(900)
    assert channel.session.boot != boot
    assert channel.run(Command(line="echo back")).stdout == "back\n"
