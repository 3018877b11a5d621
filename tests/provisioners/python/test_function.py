"""Functions as steps and tests."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import fabric
import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CancelledError, ProvisionError
from packerpy.provisioners.python import Function
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine
from tests.communicators.processes import await_death
from tests.communicators.ssh.sshd_server import Sshd

MACHINE = Machine(id="m", endpoint=Endpoint(host="h"), communicator=None)  # type: ignore[arg-type]


def call(run: TestRun, channel: Any, function: Any) -> None:
    """Carry the step out."""
    Function(function).load().apply(run, MACHINE, channel)


def test_a_real_fabric_connection(channel: SSHChannel, run: TestRun, sshd: Sshd, tmp_path: Path) -> None:
    """run, sudo, put, get, cd, warn and hide work on the open connection; there is no second login."""
    (tmp_path / "local").write_text("content")
    seen: list[Any] = []

    def step(c: fabric.Connection) -> None:
        assert isinstance(c, fabric.Connection)
        seen.append(c.run("echo hello; echo err >&2", hide="err"))
        seen.append(c.run("exit 3", warn=True))
        seen.append(c.sudo("id -u"))
        with c.cd(str(tmp_path)):
            seen.append(c.run("pwd", hide=True))
        c.put(str(tmp_path / "local"), remote=str(tmp_path / "remote"))
        c.get(str(tmp_path / "remote"), local=str(tmp_path / "back"))

    call(run, channel, step)
    assert [result.stdout for result in seen] == ["hello\n", "", "0\n", f"{tmp_path}\n"]
    assert seen[1].exited == 3
    assert (tmp_path / "back").read_text() == "content"
    assert run.printed == "hello\n0"
    assert sshd.log.read_text().count("Accepted") in (0, 1)
    assert len(sshd.children()) == 1
    assert channel.run(Command(line="echo still open")).ok


def test_a_failing_command_shows_the_users_line(channel: SSHChannel, run: TestRun) -> None:
    """The error names the step and what was raised; its traceback has the user's frames and none of ours."""

    def configure(c: Any) -> None:
        c.run("echo woe >&2; exit 5")

    with pytest.raises(ProvisionError, match=r"configure\(\) raised UnexpectedExit") as caught:
        call(run, channel, configure)
    assert 'c.run("echo woe >&2; exit 5")' in str(caught.value)
    assert "Exit code: 5" in str(caught.value)
    assert "provisioners/python/worker.py" not in str(caught.value)


def test_an_exception_of_the_function(run: TestRun) -> None:
    """Whatever it raises fails the step and stays the cause."""

    def broken(c: Any) -> None:
        raise KeyError("port")

    with pytest.raises(ProvisionError, match="broken\\(\\) raised KeyError: 'port'") as caught:
        call(run, RecordingChannel(), broken)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_cancel_wakes_it(channel: SSHChannel, run: TestRun) -> None:
    """A function that waits for a command is woken and its step is cancelled, not failed."""
    threading.Timer(0.5, run.cancellation.request).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        call(run, channel, lambda c: c.run("sleep 60"))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("how", ["cancel", "timeout", "left"])
def test_nothing_of_it_runs_on_in_the_machine(how: str, channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """A command of a function ends in the machine with all that it started, also what left its session."""
    pids = [tmp_path / name for name in ("first", "second")]
    line = (
        f"trap '' TERM HUP; setsid sh -c 'echo $$ >{pids[1]}; sleep 600; true' & echo $$ >{pids[0]}; "
        f"while [ ! -s {pids[1]} ]; do sleep 0.05; done; echo ready; wait"
    )

    class Ready:
        """Cancels once the command says that all is there."""

        def write(self, text: str) -> None:
            if "ready" in text and how == "cancel":
                threading.Thread(target=run.cancellation.request).start()

        def flush(self) -> None:
            """Nothing is held back."""

    def function(c: Any) -> None:
        if how == "left":
            c.run(line, asynchronous=True)
            while not all(path.exists() and path.read_text() for path in pids):
                time.sleep(0.01)
        else:
            c.run(line, out_stream=Ready())

    step = pp.Step(function, timeout=5) if how == "timeout" else Function(function)
    if how == "left":
        step.load().apply(run, MACHINE, channel)
    else:
        with pytest.raises(CancelledError if how == "cancel" else ProvisionError):
            step.load().apply(run, MACHINE, channel)
    for path in pids:
        await_death(int(path.read_text()))


def test_a_connection_without_ssh(run: TestRun, tmp_path: Path) -> None:
    """Over any other channel the same calls work, and what cannot work is refused."""
    channel = RecordingChannel(
        {"^echo": Completed(exit_status=0, stdout="hello\n"), "^false": Completed(exit_status=1)}
    )
    (tmp_path / "local").write_text("content")

    def step(c: fabric.Connection) -> None:
        assert isinstance(c, fabric.Connection)
        assert c.run("echo hello").stdout == "hello\n"
        assert c.run("false", warn=True).failed
        c.sudo("id", env={"A": "b"})
        with c.cd("/srv"), c.prefix("umask 077"):
            c.run("ls", hide=True)
        c.put(str(tmp_path / "local"), "/srv/")
        c.get("/srv/local", str(tmp_path / "back"))
        with pytest.raises(TypeError, match="watchers"):
            c.run("x", watchers=[object()])
        c.run("false")

    with pytest.raises(ProvisionError, match="UnexpectedExit"):
        call(run, channel, step)
    lines = [command.line for command in channel.commands]
    assert "cd /srv && umask 077 && ls" in lines
    assert [(c.sudo, dict(c.env)) for c in channel.commands if c.line == "id"] == [(True, {"A": "b"})]
    assert (tmp_path / "back").read_text() == "content"
    assert run.printed == "hello"


def test_a_testinfra_host(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """A parameter called `host` gets testinfra's host, over the open connection."""
    (tmp_path / "it's here").write_text("x")

    def test_file(host: Any) -> None:
        assert host.file(str(tmp_path / "it's here")).content_string == "x"
        assert host.run("echo %s", "a b").stdout == "a b\n"
        assert not host.file("/no/such").exists

    call(run, channel, test_file)

    def test_wrong(host: Any) -> None:
        assert host.file("/no/such").exists

    with pytest.raises(ProvisionError, match="AssertionError") as caught:
        call(run, channel, test_wrong)
    assert 'assert host.file("/no/such").exists' in str(caught.value)
