"""Shell steps: what is declared, what is sent, what comes of it on a real machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.contracts import SupportsReconnect
from packerpy.declare import Secret, Variable
from packerpy.declare.fill import fill
from packerpy.errors import CommunicatorError, Disconnected, ProvisionError
from packerpy.provisioners.shell import Shell
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine, Stream
from tests.communicators.ssh.sshd_server import Sshd

MACHINE = Machine(id="m", endpoint=Endpoint(host="h"), communicator=None)  # type: ignore[arg-type]


def test_ways_to_declare_lines() -> None:
    """One by one, in a list or by name is all the same; a value is hashable and shows no secret."""
    assert Shell("a", "b") == Shell(["a", "b"]) == Shell(inline=["a", "b"])
    assert hash(Shell("a", env={"X": "1"})) == hash(Shell("a", env={"X": "1"}))
    assert "hunter2" not in repr(Shell("a", env={"X": Secret(value="hunter2")}))
    assert Shell("apt-get update\napt-get upgrade").title == "run apt-get update …"
    assert Shell(script="x/setup.sh").title == "run setup.sh"
    assert Shell(Variable("cmd")).title == "run {cmd}"


def test_variables_are_filled_in() -> None:
    """In lines and in the environment, giving an equal declaration otherwise."""
    spec = Shell("echo", Variable("what"), env={"A": Variable("what")}, sudo=True)
    assert fill(spec, lambda variable: "hello") == Shell("echo", "hello", env={"A": "hello"}, sudo=True)


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (Shell(), ""),
        (Shell("a", script="b"), ""),
        (Shell(script="/nowhere/x.sh"), "scripts[0]"),
        (Shell("a", env={"1X": "y"}), "env"),
        (Shell("a", remote_folder="tmp"), "remote_folder"),
        (Shell("a", interpreter=" "), "interpreter"),
        (Shell("a", valid_exit_codes=[256]), "valid_exit_codes"),
        (Shell("a", valid_exit_codes=[]), "valid_exit_codes"),
        (Shell("a", timeout=0), "timeout"),
        (Shell("a", reconnect_timeout=-1), "reconnect_timeout"),
    ],
)
def test_problems(spec: Shell, where: str) -> None:
    """Each bad value is reported at its place."""
    assert where in [problem.where for problem in spec.check()]


def test_a_good_declaration_has_no_problem(tmp_path: Path) -> None:
    """And it says which files it reads."""
    script = tmp_path / "x.sh"
    script.touch()
    assert list(Shell(script=script).check()) == []
    assert list(Shell(script=script).reads()) == [script]


@pytest.mark.parametrize(
    ("spec", "sent", "started"),
    [
        (Shell("a", "b"), b"a\nb\n", "/bin/sh -e /tmp/packerpy-"),
        (Shell("#!/usr/bin/perl", "b"), b"#!/usr/bin/perl\nb\n", "&& /tmp/packerpy-"),
        (Shell("a", interpreter="/bin/bash -x"), b"a\n", "/bin/bash -x /tmp/packerpy-"),
        (Shell("a", remote_folder="/var/x y"), b"a\n", "/bin/sh -e '/var/x y/packerpy-"),
    ],
)
def test_one_command_does_it_all(run: TestRun, spec: Shell, sent: bytes, started: str) -> None:
    """The script travels as input; it is run by the right program and removed."""
    channel = RecordingChannel()
    spec.load().apply(run, MACHINE, channel)
    (command,) = channel.commands
    assert command.stdin == sent
    assert started in command.line
    assert "rm -f" in command.line
    assert not command.env


def test_a_script_from_windows(run: TestRun, tmp_path: Path) -> None:
    """Its line ends are put right, unless it is binary."""
    (tmp_path / "text").write_bytes(b"#!/bin/sh\r\necho\r\n")
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\r\n")
    channel = RecordingChannel()
    Shell(scripts=[tmp_path / "text", tmp_path / "binary"]).load().apply(run, MACHINE, channel)
    assert [command.stdin for command in channel.commands] == [b"#!/bin/sh\necho\n", b"\x7fELF\0\r\n"]


def test_lines_on_a_real_machine(channel: SSHChannel, run: TestRun) -> None:
    """They run in order, see the environment, print into the task, and leave nothing in the machine."""
    spec = Shell("echo one $A", 'echo "test"; ls "$0"', env={"A": "x  y"}, timeout=20)
    spec.load().apply(run, MACHINE, channel)
    first, second, name = run.printed.splitlines()
    assert (first, second) == ("one x y", "test")
    assert name.startswith("/tmp/packerpy-")
    assert not Path(name).exists()


def test_a_script_with_another_interpreter(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """What its first line names runs it; the name may hold spaces."""
    script = tmp_path / "my script.py"
    script.write_text("#!/usr/bin/env python3\nprint(6 * 7)\n")
    Shell(script=script).load().apply(run, MACHINE, channel)
    assert run.printed == "42"


def test_the_first_failing_line_ends_it(channel: SSHChannel, run: TestRun) -> None:
    """The error shows the script, the code and the last output."""
    with pytest.raises(ProvisionError, match="ended with exit code 7") as caught:
        Shell("echo going", "(echo woe >&2; exit 7)", "echo never").load().apply(run, MACHINE, channel)
    text = str(caught.value)
    assert "(echo woe >&2; exit 7)" in text
    assert "going\nwoe" in text
    assert "never" not in run.printed


def test_valid_exit_codes(channel: SSHChannel, run: TestRun) -> None:
    """Other codes than 0 may mean success, and 0 may not."""
    Shell("exit 3", valid_exit_codes=[3]).load().apply(run, MACHINE, channel)
    with pytest.raises(ProvisionError, match="exit code 0"):
        Shell("exit 0", valid_exit_codes=[3]).load().apply(run, MACHINE, channel)


def test_a_signal_is_named(run: TestRun) -> None:
    """The code of a killed script is explained."""
    channel = RecordingChannel({"sh -e": Completed(exit_status=137)})
    with pytest.raises(ProvisionError, match=r"137 \(signal 9\)"):
        Shell("x").load().apply(run, MACHINE, channel)


def test_a_timeout(channel: SSHChannel, run: TestRun) -> None:
    """It is said to be one, and the killed script's file is gone."""
    with pytest.raises(ProvisionError, match="did not end within 3 s and was killed"):
        Shell("echo $0; sleep 300", timeout=3).load().apply(run, MACHINE, channel)
    assert not Path(run.printed.strip()).exists()


def test_secrets_reach_the_script_and_nobody_else(channel: SSHChannel, run: TestRun) -> None:
    """A script that prints its secret prints stars; neither events nor errors have it."""
    spec = Shell('echo "it is $TOKEN"; exit 1', env={"TOKEN": Secret(value="hunter2hunter2")})
    with pytest.raises(ProvisionError):
        spec.load().apply(run, MACHINE, channel)
    assert "it is" in run.printed
    assert "hunter2" not in run.printed + repr(run.events)


def test_a_terminal(channel: SSHChannel, run: TestRun) -> None:
    """The script has one on all sides, and is removed all the same."""
    Shell("test -t 0 && test -t 1 && echo tty; ls $0", pty=True, timeout=20).load().apply(run, MACHINE, channel)
    first, name = run.printed.splitlines()
    assert first == "tty"
    assert not Path(name).exists()


def when_it_speaks(run: TestRun, do: Callable[[], object]) -> None:
    """Do something, beside the step, as soon as it has printed anything."""
    output = run.output

    def once(stream: Stream, text: str) -> None:
        output(stream, text)
        run.output = output  # type: ignore[method-assign]
        threading.Thread(target=do).start()

    run.output = once  # type: ignore[method-assign]


def test_an_unexpected_disconnect(channel: SSHChannel, run: TestRun, sshd: Sshd) -> None:
    """It fails the step, and the error tells what to declare if it was meant."""
    when_it_speaks(run, sshd.hang_up)
    with pytest.raises(ProvisionError, match="hung up") as caught:
        Shell("echo up; sleep 60").load().apply(run, MACHINE, channel)
    assert "expect_disconnect=True" in str(caught.value)


def test_an_expected_disconnect(channel: SSHChannel, run: TestRun, sshd: Sshd) -> None:
    """The step waits for the machine and goes on with its next script; nothing stays in the machine."""

    def restart() -> None:
        sshd.stop()
        sshd.start()

    when_it_speaks(run, restart)
    Shell("echo $0; sleep 60", expect_disconnect=True).load().apply(run, MACHINE, channel)
    assert channel.run(Command(line="echo back")).stdout == "back\n"
    assert not Path(run.printed.strip()).exists()


@pytest.mark.parametrize(("size", "came"), [(5000, b"echo half"), (100, b"")])
def test_half_a_script_is_not_run(channel: SSHChannel, size: int, came: bytes) -> None:
    """When the connection breaks while the script is sent, the machine throws away what came of it.

    A short one comes whole or not at all.
    """
    from packerpy.provisioners.shell.worker import _receiving

    done = channel.run(Command(line=_receiving("/tmp/packerpy-half.sh", size) + "echo ran", stdin=came))
    assert done.exit_status == 255
    assert "ran" not in done.stdout
    assert not Path("/tmp/packerpy-half.sh").exists()


def test_a_channel_that_cannot_come_back(run: TestRun) -> None:
    """A chroot does not restart; that is said, not tried."""
    channel = RecordingChannel({"sh -e": Disconnected("gone")})
    assert not isinstance(channel, SupportsReconnect)
    with pytest.raises(Exception, match="cannot be opened again"):
        Shell("reboot", expect_disconnect=True).load().apply(run, MACHINE, channel)


def test_a_command_that_cannot_be_started(run: TestRun) -> None:
    """The channel's own words are kept."""
    channel = RecordingChannel({"sh -e": CommunicatorError("no sudo here")})
    with pytest.raises(ProvisionError, match="could not be run") as caught:
        Shell("x", sudo=True).load().apply(run, MACHINE, channel)
    assert "no sudo here" in str(caught.value)
