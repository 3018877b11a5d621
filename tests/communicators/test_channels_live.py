"""Both channels into one emulated guest: large uploads, and a restart in the middle of a command."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import attrs
import pytest

from packerpy.communicators.agent import GuestAgent, uploads
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.communicators.ssh import SSH
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import Disconnected
from packerpy.testing import CHANNEL_CHECKS, Subject, TestRun, make_run
from packerpy.values import Command, Machine
from tests.guests import Booted

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

PATIENCE = 900.0
"""Seconds for a boot on a busy host."""


@attrs.frozen
class Guest:
    """A booted machine, and the run that it belongs to."""

    run: TestRun
    machine: Machine

    def ssh(self, **changes: object) -> SSHChannel:
        """A channel by SSH."""
        channel = SSH(timeout=PATIENCE, **changes).load().connect(self.run, self.machine)  # type: ignore[arg-type]
        assert isinstance(channel, SSHChannel)
        return channel

    def agent(self) -> AgentChannel:
        """A channel by the agent."""
        channel = GuestAgent(timeout=PATIENCE).load().connect(self.run, self.machine)
        assert isinstance(channel, AgentChannel)
        return channel


@pytest.fixture(scope="module")
def guest(booted: Booted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """One guest for all tests of this file."""
    run = make_run(tmp_path_factory.mktemp("guest"))
    yield Guest(run, booted.clone(run)[1])
    assert run.close(failed=True) == ()


def test_large_uploads(guest: Guest, tmp_path: Path) -> None:
    """A file that the agent would take half a minute for goes over SSH, and arrives whole."""
    channel = guest.agent()
    (tmp_path / "big").write_bytes(os.urandom(uploads.LARGE + 1))
    channel.put(tmp_path / "big", PurePosixPath("/var/tmp/big"))
    wanted = hashlib.sha256((tmp_path / "big").read_bytes()).hexdigest()
    assert channel.run(Command(line="sha256sum /var/tmp/big")).stdout.split()[0] == wanted
    assert "waiting for SSH at" in str(guest.run.events)
    assert "SSH does not work" not in str(guest.run.events)
    channel.close()


@pytest.mark.parametrize("transfer", ["sftp", "scp"])
def test_other_ways_to_move_files(guest: Guest, tmp_path: Path, transfer: str) -> None:
    """With the programs of a real system, whose sftp-server and scp are not this host's."""
    channel = guest.ssh(file_transfer=transfer)
    there = PurePosixPath(f"/var/tmp/{transfer}")
    assert channel.run(Command(line=f"mkdir {there}")).ok
    (check,) = (check for check in CHANNEL_CHECKS if check.__name__ == "a_tree")
    check(Subject(channel=channel, run=guest.run, here=tmp_path, there=there))
    channel.close()


def test_a_restart_in_the_middle_of_a_command(guest: Guest) -> None:
    """Both channels tell it apart from a failure, and come back to the machine, which has the same host key."""
    ssh, agent = guest.ssh(), guest.agent()
    before = ssh.run(Command(line="cat /proc/sys/kernel/random/boot_id")).stdout
    started = time.monotonic()
    with pytest.raises(Disconnected):
        ssh.run(Command(line="reboot; sleep 600"))
    for channel in (ssh, agent):
        channel.reconnect(PATIENCE)
        assert channel.run(Command(line="cat /proc/sys/kernel/random/boot_id")).stdout != before
    assert time.monotonic() - started < PATIENCE
    ssh.close()
    agent.close()
