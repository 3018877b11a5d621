"""Programs of the host die with us, unless they are started to outlive us."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packerpy.errors import CancelledError
from packerpy.execute.cancellation import CancelToken
from packerpy.kit.process import call, spawn, stop, tied

SCRIPT = """
import os, signal, sys
from packerpy.kit.process import spawn

print(spawn(["sleep", "3600"], tie=sys.argv[1] == "tied").pid, flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["tied", "untied"])
def test_when_we_are_killed(how: str) -> None:
    """A tied program ends at that moment; one that is not, as a machine left for its user, goes on."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as us:
        assert us.stdout is not None
        assert us.stdin is not None
        child = os.pidfd_open(int(us.stdout.readline()))
        us.stdin.close()
        us.wait()
    try:
        ended, _, _ = select.select([child], [], [], 20 if how == "tied" else 0.5)
        assert bool(ended) is (how == "tied")
    finally:
        if how == "untied":
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)


def test_who_is_tied_too_late_does_not_start(tmp_path: Path) -> None:
    """A program whose parent died before the kernel was told of the tie is not left running."""
    told = tmp_path / "started"
    done = subprocess.run(tied(["touch", told], parent=os.getppid()), check=False)
    assert done.returncode == 1
    assert not told.exists()
    assert subprocess.run(tied(["touch", told]), check=False).returncode == 0
    assert told.exists()


def test_who_leaves_the_session_is_killed_too() -> None:
    """When a program is ended, its descendants end, those in sessions of their own and their children included."""
    line = "setsid sh -c 'sleep 3600 & echo $$ $!; wait' & wait"
    process = spawn(["sh", "-c", line], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        strays = [os.pidfd_open(int(pid)) for pid in process.stdout.readline().split()]
    stop(process)
    assert len(strays) == 2
    for stray in strays:
        assert select.select([stray], [], [], 20)[0]
        os.close(stray)


def test_after_a_fork() -> None:
    """A process that was forked off makes children by a thread of its own; ours stayed with us."""
    call(["true"])
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        code = 1
        try:
            code = 0 if call(["echo", "here"]).text == "here" else 2
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def test_who_holds_the_output_of_a_killed_program_is_not_waited_for(tmp_path: Path) -> None:
    """A process that belongs to nobody any more keeps the pipes open; the call ends all the same."""
    told = tmp_path / "pid"
    line = f"(setsid sh -c 'sleep 3600 & echo $! >{told}; exit' &); while [ ! -s {told} ]; do sleep 0.1; done; cat {told}; sleep 3600"
    token = CancelToken()
    with pytest.raises(CancelledError):
        call(["sh", "-c", line], cancellation=token, sink=lambda stream, text: token.request())
    os.kill(int(told.read_text()), signal.SIGKILL)


def test_letters_of_several_bytes_arrive_whole() -> None:
    """A character that is cut in two by a pause is one character for who listens."""
    said: list[str] = []
    line = r"printf '\303'; sleep 0.2; printf '\274\n'"
    call(["sh", "-c", line], sink=lambda stream, text: said.append(text))
    assert "".join(said) == "ü\n"
