"""Wrapped steps at work, over a real SSH connection or with a recording channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.contracts import Communicator, Run
from packerpy.errors import BuildError, CancelledError, Disconnected, ProvisionError
from packerpy.events import TaskMessage
from packerpy.kit import process
from packerpy.provisioners.meta.facts import read_facts
from packerpy.testing import RecordingChannel, TestRun
from packerpy.testing.specs import Steps
from packerpy.values import Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH(), facts={"firmware": "bios"})


def said(run: TestRun) -> str:
    """What it told its user."""
    return "\n".join(event.text for event in run.events if isinstance(event, TaskMessage))


def failing(times: int, error: Callable[[int], BuildError]) -> tuple[Steps, list[float]]:
    """A step that fails so often, and the moments at which it was tried."""
    moments: list[float] = []

    def call(_run: Run, _channel: Communicator) -> None:
        moments.append(time.monotonic())
        if len(moments) <= times:
            raise error(len(moments))

    return Steps(call), moments


def broken(number: int) -> ProvisionError:
    """What the step raises."""
    return ProvisionError(f"failure number {number}", details=f"details {number}")


def alive(marker: str) -> bool:
    """Whether a process with this word in its command line runs."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if marker.encode() in (entry / "cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


def test_retries_end_with_the_last_error(run: TestRun) -> None:
    """Packer reports the first one; here the last error is told, with the number of tries, after growing pauses."""
    step, moments = failing(9, broken)
    with pytest.raises(ProvisionError, match=r"failure number 3 \(the last of 3 tries\)") as caught:
        pp.Step(step, retries=2, backoff=0.05).load().apply(run, MACHINE, RecordingChannel())
    assert caught.value.details == "details 3"
    first, second, third = moments
    assert second - first >= 0.05
    assert third - second >= 0.1
    assert "try 1 of 3 failed" in said(run)


def test_a_retry_that_succeeds(run: TestRun) -> None:
    """Nothing is raised, and the pause before the step is made once: Packer makes it before each try."""
    step, moments = failing(2, broken)
    pp.Step(step, retries=5, backoff=0, pause_before=0.05).load().apply(run, MACHINE, RecordingChannel())
    assert len(moments) == 3
    assert said(run).count("waiting for") == 1


def test_a_mistake_of_the_program_is_not_tried_again(run: TestRun) -> None:
    """Only failures of the build are worth another try; a bug is raised at once, and a cancel too."""
    tried: list[int] = []

    def bug(_run: Run, _channel: Communicator) -> None:
        tried.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pp.Step(Steps(bug), retries=3, backoff=0, continue_on_error=True).load().apply(run, MACHINE, RecordingChannel())
    assert tried == [1]


def test_going_on_after_a_failure(run: TestRun) -> None:
    """The failure is told and the step counts as done, after the last try only."""
    step, moments = failing(9, broken)
    pp.Step(step, retries=1, backoff=0, continue_on_error=True).load().apply(run, MACHINE, RecordingChannel())
    assert len(moments) == 2
    assert "failure number 2" in said(run)


def test_a_cancel_ends_pauses_and_is_not_passed_over(run: TestRun) -> None:
    """During a pause of an hour, with retries and continue_on_error: cancelled at once."""
    threading.Timer(0.2, run.cancellation.request).start()
    step, moments = failing(0, broken)
    start = time.monotonic()
    with pytest.raises(CancelledError):
        pp.Step(step, pause_before=3600, retries=5, continue_on_error=True, timeout=9).load().apply(
            run, MACHINE, RecordingChannel()
        )
    assert moments == []
    assert time.monotonic() - start < 10


def test_timeout_kills_the_whole_group_in_the_machine(channel: SSHChannel, run: TestRun) -> None:
    """A script that ignores signals and has children is gone after its time; the channel works on."""
    marker = f"packerpy-ignores-{run.id}"
    script = f"trap '' TERM INT HUP\n(exec -a {marker} sleep 300) &\necho started\nwait\nsleep 300"
    start = time.monotonic()
    with pytest.raises(ProvisionError, match="did not end within 3 s and was killed") as caught:
        pp.Step(pp.Shell(script, interpreter="/bin/bash"), timeout=3.0).load().apply(run, MACHINE, channel)
    assert time.monotonic() - start < 30
    assert "started" in run.printed
    assert caught.value.resolution is not None
    assert not alive(marker)
    pp.Shell("true").load().apply(run, MACHINE, channel)


def test_the_pause_does_not_count_and_the_timeout_holds(channel: SSHChannel, run: TestRun) -> None:
    """A pause longer than the timeout harms nothing, and a hanging step is killed; Packer drops its timeout then."""
    step, moments = failing(0, broken)
    pp.Step(step, pause_before=0.4, timeout=0.3).load().apply(run, MACHINE, channel)
    assert len(moments) == 1
    with pytest.raises(ProvisionError, match="did not end within"):
        pp.Step(pp.Shell("sleep 300"), pause_before=0.1, timeout=0.5).load().apply(run, MACHINE, channel)


def test_each_try_has_the_whole_time(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """A first try that hangs is killed, a later one may go well: the first in whose time the script can begin twice."""
    seen = tmp_path / "seen"
    script = f"[ -e {seen} ] && exit 0; touch {seen}; sleep 300"
    pp.Step(pp.Shell(script), timeout=2.0, retries=9, backoff=0).load().apply(run, MACHINE, channel)
    assert "did not end within 2 s" in said(run)


def test_timeout_kills_programs_of_the_host(run: TestRun) -> None:
    """A step that works on the host is held to its time, too, by the same means."""

    def sleeps(run: Run, _channel: Communicator) -> None:
        process.call(["sleep", "300"], cancellation=run.cancellation)

    with pytest.raises(ProvisionError, match=r"did not end within 0\.3 s"):
        pp.Step(Steps(sleeps), timeout=0.3).load().apply(run, MACHINE, RecordingChannel())
    run.cancellation.check()


def test_limits_within_limits(run: TestRun) -> None:
    """The outer limit ends what has a longer one of its own."""

    def waits(run: Run, _channel: Communicator) -> None:
        run.wait(300)

    with pytest.raises(ProvisionError, match=r"did not end within 0\.2 s"):
        pp.Step(pp.Step(Steps(waits), timeout=200), timeout=0.2).load().apply(run, MACHINE, RecordingChannel())


def test_a_machine_that_hangs_up_is_tried_again(run: TestRun) -> None:
    """The channel is opened anew before the next try."""
    step, moments = failing(1, lambda _: Disconnected("gone"))
    reconnects: list[float] = []

    class Channel(RecordingChannel):
        def reconnect(self, timeout: float) -> None:
            reconnects.append(timeout)

    pp.Step(step, retries=1, backoff=0).load().apply(run, MACHINE, Channel())
    assert len(reconnects) == 1
    assert len(moments) == 2


def test_a_machine_that_is_lost_is_not_passed_over(run: TestRun) -> None:
    """Going on makes no sense without a channel."""
    step, _ = failing(9, lambda _: Disconnected("gone"))
    with pytest.raises(Disconnected, match="gone"):
        pp.Step(step, continue_on_error=True).load().apply(run, MACHINE, RecordingChannel())


DEBIAN = Completed(
    exit_status=0,
    stdout='Linux 6.1.0-9 x86_64\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\n'
    "VERSION_CODENAME=bookworm\nID=debian\n# a comment\nBROKEN='\n",
)


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ({"id": "debian"}, True),
        ({"family": ["fedora", "debian"], "codename": "book*"}, True),
        ({"id": "debian", "arch": "aarch64"}, False),
        ({"firmware": "bios", "pretty_name": "Debian*"}, True),
        (lambda guest: guest.version >= (12,) and guest.kernel.startswith("6."), True),
        (lambda guest: guest.system != "linux", False),
    ],
)
def test_when(run: TestRun, when: object, runs: bool) -> None:
    """The step runs on guests that are so, and is passed over with a word on others."""
    step, moments = failing(0, broken)
    channel = RecordingChannel({"uname": DEBIAN})
    pp.Step(step, when=when).load().apply(run, MACHINE, channel)  # type: ignore[arg-type]
    assert len(moments) == runs
    assert ("not run" in said(run)) != runs


def test_a_predicate_that_fails(run: TestRun) -> None:
    """Its error is told with the facts it was asked about."""
    step, _ = failing(0, broken)
    with pytest.raises(ProvisionError, match="when= failed") as caught:
        pp.Step(step, when=lambda guest: guest.colour).load().apply(run, MACHINE, RecordingChannel({"uname": DEBIAN}))  # type: ignore[attr-defined]
    assert "colour" in str(caught.value)
    assert "bookworm" in str(caught.value)


def test_facts_of_this_host(channel: SSHChannel, run: TestRun) -> None:
    """What a real shell says of a real system is understood."""
    facts = read_facts(MACHINE, channel)
    assert facts.system == "linux"
    assert facts.id == facts.family[0] != ""
    assert facts.version


def test_a_group_as_one_step(run: TestRun) -> None:
    """Whoever runs a group by itself gets all of its steps, each as the group says."""
    first, tried = failing(1, broken)
    second, again = failing(0, broken)
    pp.Group([first, second], retries=1, backoff=0).load().apply(run, MACHINE, RecordingChannel())
    assert (len(tried), len(again)) == (2, 1)
