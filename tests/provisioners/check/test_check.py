"""Checks of a machine."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CancelledError, CheckError, CommunicatorError, Disconnected
from packerpy.provisioners.check import Check
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(host="h"), communicator=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "spec",
    [
        Check("true"),
        Check("exit 3", exit_status=3),
        Check("exit 3", exit_status=None),
        Check("echo hello", stdout="ell"),
        Check("echo hello", stdout=re.compile("^h.*o$", re.MULTILINE)),
    ],
)
def test_what_is_true_passes(channel: SSHChannel, run: TestRun, spec: Check) -> None:
    """On a real machine."""
    spec.load().apply(run, MACHINE, channel)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (Check("echo ho; echo woe >&2; exit 3", retry_for=0), "exit code 3, not 0"),
        (Check("echo ho; echo woe >&2", exit_status=1, retry_for=0), "exit code 0, not 1"),
        (Check("echo ho; echo woe >&2", stdout="hello", retry_for=0), "does not contain 'hello'"),
        (Check("echo ho; echo woe >&2", stdout=re.compile("^x"), retry_for=0), r"matches '\^x'"),
    ],
)
def test_what_is_false_fails(channel: SSHChannel, run: TestRun, spec: Check, says: str) -> None:
    """The error has the command, what was wrong, and all that was printed."""
    with pytest.raises(CheckError, match=says) as caught:
        spec.load().apply(run, MACHINE, channel)
    assert spec.command in str(caught.value)
    assert "ho\nwoe" in str(caught.value)
    assert run.printed == "ho\nwoe"


def test_a_service_that_is_still_starting(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """It is tried again until it is true."""
    threading.Timer(0.8, (tmp_path / "ready").touch).start()
    Check(f"test -e {tmp_path}/ready", retry_for=20).load().apply(run, MACHINE, channel)


def test_a_cancel_ends_the_retries(run: TestRun) -> None:
    """At once."""
    threading.Timer(0.2, run.cancellation.request).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        Check("x", retry_for=60).load().apply(run, MACHINE, RecordingChannel({"x": Completed(exit_status=1)}))
    assert time.monotonic() - started < 30


def test_a_command_that_hangs(channel: SSHChannel, run: TestRun) -> None:
    """It is killed, and has failed."""
    with pytest.raises(CheckError, match="could not be made") as caught:
        Check("sleep 300", timeout=0.5).load().apply(run, MACHINE, channel)
    assert "was killed" in str(caught.value)


def test_channel_errors(run: TestRun) -> None:
    """A machine that hangs up is not a machine that failed the check."""
    with pytest.raises(Disconnected):
        Check("x").load().apply(run, MACHINE, RecordingChannel({"x": Disconnected("gone")}))
    with pytest.raises(CheckError, match="could not be made"):
        Check("x").load().apply(run, MACHINE, RecordingChannel({"x": CommunicatorError("no")}))


def test_declarations() -> None:
    """Problems come all at once; values are hashable and have titles."""
    assert {p.where for p in Check(" ", exit_status=300, timeout=0, retry_for=-1).check()} == {
        "command",
        "exit_status",
        "timeout",
        "retry_for",
    }
    assert list(Check("x").check()) == []
    assert hash(Check("x", stdout=re.compile("y"))) == hash(Check("x", stdout=re.compile("y")))
    assert Check("systemctl is-active nginx").title == "check systemctl is-active nginx"
    assert Check("a\nb").title == "check a …"
    assert Check("x", name="web answers").title == "web answers"
