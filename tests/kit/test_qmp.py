"""QEMU's machine protocol, against a real QEMU without a machine in it."""

import socket
import subprocess
import threading

import pytest

from packerpy.errors import CancelledError
from packerpy.execute.cancellation import CancelToken
from packerpy.kit.qmp import Qmp, QmpClosed, QmpError


@pytest.fixture
def qemu():
    """A QEMU whose protocol runs over a pair of sockets."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [
            *("qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-S"),
            *("-chardev", f"socket,id=q,fd={theirs.fileno()}", "-mon", "chardev=q,mode=control"),
        ],
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    qmp = Qmp(ours)
    yield qmp, process
    qmp.close()
    process.kill()
    process.wait()


def test_commands_are_answered_and_refusals_are_errors(qemu):
    """Names with dashes are written with underscores; what QEMU says is in the error."""
    qmp, _ = qemu
    assert qmp.execute("query-status")["running"] is False
    assert "prelaunch" in qmp.monitor("info status")
    with pytest.raises(QmpError) as caught:
        qmp.execute("no-such-command")
    assert "no-such-command" in (caught.value.details or "")


def test_events_are_waited_for(qemu):
    """An event that came before the wait, but after the mark, is found."""
    qmp, _ = qemu
    mark = qmp.mark()
    qmp.execute("cont")
    assert qmp.wait(["RESUME"], since=mark, timeout=10).name == "RESUME"
    with pytest.raises(TimeoutError):
        qmp.wait(["SHUTDOWN"], timeout=0.05)


def test_the_end_of_qemu_ends_a_wait_and_further_commands(qemu):
    """The last event before the end is still found; a listener is told; commands say that QEMU is gone."""
    qmp, process = qemu
    told = threading.Event()
    qmp.listen(lambda: told.set() if qmp.closed else None)
    qmp.execute("quit")
    assert qmp.wait(["SHUTDOWN"], timeout=10).data["reason"] == "host-qmp-quit"
    assert qmp.wait(["NEVER"], timeout=10) is None
    assert told.wait(10)
    process.wait(10)
    with pytest.raises(QmpClosed):
        qmp.execute("query-status")


def test_a_killed_qemu_is_noticed(qemu):
    """No time limit is needed."""
    qmp, process = qemu
    process.kill()
    assert qmp.wait(["SHUTDOWN"], timeout=10) is None


def test_a_cancel_wakes_a_wait(qemu):
    """At once, from another thread."""
    qmp, _ = qemu
    token = CancelToken()
    threading.Timer(0.1, token.request).start()
    with pytest.raises(CancelledError):
        qmp.wait(["SHUTDOWN"], timeout=60, cancellation=token)


def test_a_peer_that_hangs_up_without_a_greeting():
    """The constructor says so and closes the socket."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(QmpClosed):
        Qmp(ours)
