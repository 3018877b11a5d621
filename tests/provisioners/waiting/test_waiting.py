"""Waiting for a time, and for a machine that restarts; the real restart is in the live test of examples."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

import packerpy as pp
from packerpy.contracts import OutputSink
from packerpy.errors import CancelledError, CommunicatorError, Disconnected, PluginError, ProvisionError
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH())


class Restarting(RecordingChannel):
    """A machine that is another boot after so many looks, and does not answer at all for a while before."""

    def __init__(self, looks: int, restart: Callable[[], Completed] = lambda: Completed(exit_status=0)) -> None:
        super().__init__()
        self.looks, self.restart, self.restarted = looks, restart, False

    def reconnect(self, timeout: float) -> None:
        self.looks -= 1
        if self.looks == 1:
            raise CommunicatorError("not yet")

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        self.commands.append(command)
        if "boot_id" in command.line:
            return Completed(exit_status=0, stdout="old\n" if self.looks > 0 else "new\n")
        if "reboot" in command.line:
            self.restarted = True
            return self.restart()
        return Completed(exit_status=0)


def lost() -> Completed:
    """The connection breaks before the command has ended."""
    raise Disconnected("lost")


@pytest.mark.parametrize("restart", [lambda: Completed(exit_status=0), lambda: Completed(exit_status=143), lost])
def test_reboot_waits_for_another_boot(run: TestRun, restart: Callable[[], Completed]) -> None:
    """However the restarting command ends, and while the machine still answers from its old boot or not at all."""
    channel = Restarting(3, restart)
    pp.Reboot(ready="systemctl is-system-running").load().apply(run, MACHINE, channel)
    assert channel.restarted
    assert channel.looks == 0
    assert channel.commands[-1].line == "systemctl is-system-running"


def test_a_machine_that_is_not_restarted(run: TestRun) -> None:
    """After its time the step fails and says what it saw."""
    with pytest.raises(ProvisionError, match="was not restarted within") as caught:
        pp.Reboot(timeout=0.05).load().apply(run, MACHINE, Restarting(1000))
    assert "old boot" in str(caught.value)


def test_a_machine_that_stays_away(run: TestRun) -> None:
    """The channel's own error is told."""

    class Away(Restarting):
        def reconnect(self, timeout: float) -> None:
            raise CommunicatorError("nobody answers")

    with pytest.raises(ProvisionError, match="did not come back") as caught:
        pp.Reboot(timeout=0.01).load().apply(run, MACHINE, Away(5))
    assert "nobody answers" in str(caught.value)


def test_a_command_that_fails(run: TestRun) -> None:
    """A restart that is refused is told at once."""
    with pytest.raises(ProvisionError, match="exit code 1") as caught:
        pp.Reboot().load().apply(run, MACHINE, Restarting(3, lambda: Completed(exit_status=1, stderr="not allowed")))
    assert "not allowed" in str(caught.value)


def test_a_tree_cannot_be_restarted(run: TestRun) -> None:
    """A channel that cannot come back is refused before anything is done."""
    with pytest.raises(PluginError, match="cannot be restarted"):
        pp.Reboot().load().apply(run, MACHINE, RecordingChannel())


def test_sleep_and_cancel(run: TestRun) -> None:
    """It takes its time, and a cancel ends it at once."""
    start = time.monotonic()
    pp.Sleep(0.1).load().apply(run, MACHINE, RecordingChannel())
    assert time.monotonic() - start >= 0.1
    threading.Timer(0.1, run.cancellation.request).start()
    with pytest.raises(CancelledError):
        pp.Sleep(3600).load().apply(run, MACHINE, RecordingChannel())


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.Sleep(0), "seconds"),
        (pp.Reboot(command=" "), "command"),
        (pp.Reboot(ready=""), "ready"),
        (pp.Reboot(timeout=0), "timeout"),
    ],
)
def test_problems(spec: pp.Sleep | pp.Reboot, where: str) -> None:
    """Each bad value is reported at its place."""
    assert [problem.where for problem in spec.check()] == [where]
