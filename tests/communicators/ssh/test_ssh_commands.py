"""Commands over a real server."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import paramiko
import pytest

from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CancelledError, CommunicatorError, Disconnected
from packerpy.testing import TestRun
from packerpy.values import Command
from tests.communicators.processes import await_death
from tests.communicators.ssh.sshd_server import Sshd


def test_a_signal_is_128_and_its_number(channel: SSHChannel) -> None:
    """As in a shell; also when the whole process group goes."""
    assert channel.run(Command(line="kill -TERM $$")).exit_status == 143
    assert channel.run(Command(line="kill -9 0")).exit_status == 137


def test_output_comes_while_the_command_runs(channel: SSHChannel, tmp_path: Path) -> None:
    """The command goes on only after the sink has seen its first line."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[str] = []

    def sink(stream: str, text: str) -> None:
        seen.append(text)
        if "first" in text:
            gate.write_text("go\n")

    done = channel.run(Command(line=f"echo first; read x <{gate}; echo $x", timeout=20), sink=sink)
    assert done.stdout == "".join(seen) == "first\ngo\n"


def test_environment_is_set_and_in_no_argument_list(channel: SSHChannel) -> None:
    """Any value comes through as it is, and no process of the machine shows it in its arguments."""
    value = "s3cr3t'\"\\n\n\ttab $HOME `x` %s é"
    line = r"printf %s \"$V\"; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' >&2".replace(r"\"", '"')
    done = channel.run(Command(line=line, env={"V": value}))
    assert done.stdout == value
    assert "s3cr3t" not in done.stderr
    assert "packerpy" in done.stderr or done.stderr


def test_pty(channel: SSHChannel) -> None:
    """A terminal is one, takes long variables, echoes nothing and has plain line ends."""
    done = channel.run(Command(line='test -t 0 && test -t 1; echo $?; echo "$V"', pty=True, env={"V": "x\x03y" * 3000}))
    assert done.stdout == "0\n" + "x\x03y" * 3000 + "\n"


def test_a_timeout_kills_the_remote_group(channel: SSHChannel, tmp_path: Path) -> None:
    """Not only the shell: what it started is gone as well. The error has the last output."""
    pids = tmp_path / "pids"
    with pytest.raises(CommunicatorError, match="did not end within 3 s and was killed") as caught:
        channel.run(Command(line=f"echo working; sleep 300 & echo $! $$ >{pids}; sleep 301", timeout=3))
    assert "working" in str(caught.value)
    for pid in pids.read_text().split():
        await_death(int(pid))


def test_a_cancel_kills_the_remote_group(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """At once, and as a cancel."""
    pids = tmp_path / "pids"

    def sink(stream: str, text: str) -> None:
        run.cancellation.request()

    with pytest.raises(CancelledError):
        channel.run(Command(line=f"echo $$ >{pids}; echo ready; sleep 300", timeout=60), sink=sink)
    await_death(int(pids.read_text()))


def test_a_lost_connection(channel: SSHChannel, sshd: Sshd) -> None:
    """A server that goes away in the middle of a command is told apart from a command that fails."""
    with pytest.raises(Disconnected, match="was lost while"):
        channel.run(Command(line="echo up; sleep 300"), sink=lambda stream, text: sshd.hang_up())
    with pytest.raises(Disconnected):
        channel.run(Command(line="true"))


def test_a_connection_that_breaks_under_the_writer(
    channel: SSHChannel, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes may notice it first, and before anybody else does."""
    write = paramiko.packet.Packetizer.write_all

    def broken(packetizer: paramiko.packet.Packetizer, data: bytes) -> None:
        if len(data) < 1 << 14:
            write(packetizer, data)
            return
        threading.Timer(0.2, sshd.hang_up).start()
        raise EOFError

    monkeypatch.setattr(paramiko.packet.Packetizer, "write_all", broken)
    with pytest.raises(Disconnected, match="was lost while"):
        channel.run(Command(line="cat >/dev/null", stdin=bytes(1 << 16)))


def test_a_background_process_that_holds_the_output_open(channel: SSHChannel) -> None:
    """A careless daemon does not keep the command from ending."""
    started = time.monotonic()
    done = channel.run(Command(line="sleep 60 & echo $!; exit 4", timeout=30))
    assert done.exit_status == 4
    assert time.monotonic() - started < 10
    os.kill(int(done.stdout), 9)


def test_a_shell_that_talks_at_login(channel: SSHChannel) -> None:
    """What comes before our token is not the command's output."""
    from packerpy.communicators.ssh.session import Request, Session

    seen: list[bytes] = []
    session = Session(
        channel.transport,
        Request(line="true", output=lambda _, data: seen.append(data)),
        _run(channel),
        channel.opening,
    )
    from packerpy.communicators.ssh.session import _Piece

    for data in (b"Welcome!\nfoo", b" bar\n" + session._token.encode(), b" 42\nreal ", b"output"):
        session._take(_Piece("stdout", data))
    assert b"".join(seen) == b"real output"
    assert session._group == 42


def _run(channel: SSHChannel):
    return channel._run.cancellation


def test_nothing_of_ours_is_left(channel: SSHChannel) -> None:
    """After many commands no thread of ours waits for anything."""
    for _ in range(5):
        channel.run(Command(line="true"))
    names = [thread.name for thread in threading.enumerate() if "_read" in thread.name or "_write" in thread.name]
    assert names == []
