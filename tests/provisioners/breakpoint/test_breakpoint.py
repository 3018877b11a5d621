"""Stops in the middle of a build."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CancelledError
from packerpy.events import TaskMessage
from packerpy.provisioners.breakpoint.worker import way_in
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Endpoint, Machine
from tests.communicators.ssh.sshd_server import Sshd
from tests.execute.conftest import builder

__all__ = ["builder"]

MACHINE = Machine(id="m", endpoint=Endpoint(path=Path("/a tree")), communicator=pp.Local())


def said(run: TestRun) -> list[str]:
    """What it told."""
    return [event.text for event in run.events if isinstance(event, TaskMessage)]


def test_going_on(run: TestRun) -> None:
    """The user is asked with the note, and told how to get in."""
    asked: list[str] = []
    run.stop = lambda stop: not asked.append(stop.title)  # type: ignore[func-returns-value]
    pp.Breakpoint("look at /etc").load().apply(run, MACHINE, RecordingChannel())
    assert asked == ["look at /etc"]
    assert said(run) == ["look at /etc", "reach the machine by: chroot '/a tree'"]


def test_ending_the_build(run: TestRun) -> None:
    """An answer of no cancels it."""
    run.stop = lambda _: False
    with pytest.raises(CancelledError):
        pp.Breakpoint().load().apply(run, MACHINE, RecordingChannel())


def test_nobody_to_ask(run: TestRun) -> None:
    """A build without a terminal does not hang."""
    pp.Breakpoint().load().apply(run, MACHINE, RecordingChannel())
    assert said(run)[-1] == "nobody can be asked, going on"


def test_disabled(run: TestRun) -> None:
    """It does nothing."""
    pp.Breakpoint("x", disable=True).load().apply(run, MACHINE, RecordingChannel())
    assert said(run) == []


def test_the_way_in_works(sshd: Sshd, channel: SSHChannel) -> None:
    """The command line that is shown opens the machine."""
    line = [*shlex.split(way_in(sshd.machine())), "echo inside"]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == "inside\n"


def test_a_stop_is_made_each_time(builder: Any) -> None:
    """What was built with one in it is not re-used."""
    plan = builder.plan(pp.Image("a", pp.Fake(content="x"), provision=[pp.Breakpoint()]))
    assert plan.task("a/step-1").key is None


def test_a_whole_build_stops(builder: Any) -> None:
    """The caller's function is asked; its no ends the build, and nothing is left."""
    image = pp.Image("a", pp.Fake(content="x"), provision=[pp.Breakpoint("here")])
    asked: list[tuple[str, str]] = []
    builder(image, stop=lambda stop: not asked.append((stop.task, stop.title)))  # type: ignore[func-returns-value]
    assert asked == [("a/step-1", "here")]
    with pytest.raises(CancelledError):
        builder(image, stop=lambda _: False, force=True)
    assert builder.leftovers == []
