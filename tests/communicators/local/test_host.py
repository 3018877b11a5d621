"""Commands on the host itself; what is common to all channels stands in test_channels.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from packerpy.communicators.local import Local
from packerpy.communicators.local.channel import LocalChannel
from packerpy.errors import CommunicatorError
from packerpy.testing import TestRun
from packerpy.values import Command, Endpoint, Machine
from tests.communicators.local.test_channel import NAP, processes_with


@pytest.fixture
def host(run: TestRun) -> Iterator[LocalChannel]:
    """A channel to this host."""
    machine = Machine(id="host", endpoint=Endpoint(), communicator=Local(host=True))
    opened = Local(host=True).load().connect(run, machine)
    assert isinstance(opened, LocalChannel)
    yield opened
    opened.close()


def test_it_is_this_host(host: LocalChannel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As this user, in this folder, with this environment and what is added to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OURS", "inherited")
    done = host.run(Command(line="id -u; pwd; echo $OURS $ADDED", env={"ADDED": "too"}))
    assert done.stdout.split() == [str(os.getuid()), str(tmp_path), "inherited", "too"]


def test_wrapper(run: TestRun, tmp_path: Path) -> None:
    """Commands and uploads are given to a program with its arguments."""
    machine = Machine(id="host", endpoint=Endpoint(), communicator=None)
    spec = Local(host=True, wrapper=("env", "WRAPPED=a b"))
    assert tuple(spec.check()) == ()
    channel = spec.load().connect(run, machine)
    assert channel.run(Command(line="echo $WRAPPED")).stdout == "a b\n"
    (tmp_path / "source").write_text("text")
    channel.put(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "text"
    assert [problem.where for problem in Local(wrapper=("nice -n 10",)).check()] == ["wrapper"]


def test_terminal(host: LocalChannel) -> None:
    """With pty a command has a terminal that it controls."""
    done = host.run(Command(line="[ -t 0 ] && [ -t 2 ] && echo yes >/dev/tty", pty=True, timeout=20))
    assert done.stdout.splitlines() == ["yes"]


def test_a_terminal_is_killed_with_what_runs_on_it(host: LocalChannel) -> None:
    """A time limit ends it as any other command."""
    with pytest.raises(CommunicatorError, match=r"within 0\.5 s"):
        host.run(Command(line=f"{NAP} & {NAP}", pty=True, timeout=0.5))
    assert processes_with(NAP) == []


def test_a_time_limit_leaves_nothing(host: LocalChannel) -> None:
    """Not only the shell: what it started is gone as well."""
    with pytest.raises(CommunicatorError, match=r"within 0\.5 s"):
        host.run(Command(line=f"{NAP} & {NAP}", timeout=0.5))
    assert processes_with(NAP) == []


def test_it_is_never_chosen_by_itself(run: TestRun) -> None:
    """A machine without a tree is an error, not this host."""
    machine = Machine(id="host", endpoint=Endpoint(), communicator=Local())
    with pytest.raises(CommunicatorError, match="no tree"):
        Local().load().connect(run, machine)


def test_devices_are_about_a_tree() -> None:
    """The host has its devices anyway."""
    assert [problem.where for problem in Local(host=True, devices=True).check()] == ["devices"]
    assert list(Local(devices=True).check()) == []
