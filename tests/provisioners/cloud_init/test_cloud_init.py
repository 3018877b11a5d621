"""Waiting for cloud-init, with a stand-in for it on a real shell's path; Salt's live test waits for a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.contracts import OutputSink
from packerpy.errors import ProvisionError
from packerpy.events import TaskMessage
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH())


class WithProgram(RecordingChannel):
    """A channel on whose machine the programs of a folder come first."""

    def __init__(self, channel: SSHChannel, folder: Path) -> None:
        super().__init__()
        self.channel, self.folder = channel, folder

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        line = f"PATH={self.folder}:/usr/bin:/bin; {command.line}"
        return self.channel.run(Command(line=line), sink=sink)


@pytest.fixture
def guest(channel: SSHChannel, tmp_path: Path) -> WithProgram:
    """A machine whose cloud-init ends with the code in the file ``code``."""
    program = tmp_path / "bin/cloud-init"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "told: $*"\nexit "$(cat {tmp_path}/code)"\n')
    program.chmod(0o755)
    return WithProgram(channel, program.parent)


@pytest.mark.parametrize(
    ("code", "spec", "fine"),
    [
        (0, pp.CloudInitWait(), True),
        (1, pp.CloudInitWait(), False),
        (2, pp.CloudInitWait(), True),
        (2, pp.CloudInitWait(accept_degraded=False), False),
    ],
)
def test_ends(guest: WithProgram, tmp_path: Path, run: TestRun, code: int, spec: pp.CloudInitWait, fine: bool) -> None:
    """Each of its exit codes means what cloud-init says it means; its words are shown."""
    (tmp_path / "code").write_text(str(code))
    if fine:
        spec.load().apply(run, MACHINE, guest)
    else:
        with pytest.raises(ProvisionError, match=f"exit code {code}") as caught:
            spec.load().apply(run, MACHINE, guest)
        assert "told: status --wait --long" in str(caught.value)
    assert "told: status --wait --long" in run.printed


def test_a_guest_without_it(channel: SSHChannel, tmp_path: Path, run: TestRun) -> None:
    """An error, unless that is declared to be fine."""
    guest = WithProgram(channel, tmp_path)
    with pytest.raises(ProvisionError, match="no cloud-init"):
        pp.CloudInitWait().load().apply(run, MACHINE, guest)
    pp.CloudInitWait(optional=True).load().apply(run, MACHINE, guest)
    assert [event.text for event in run.events if isinstance(event, TaskMessage)][-1] == "the guest has no cloud-init"
