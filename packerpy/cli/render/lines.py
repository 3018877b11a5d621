"""What each event says, in a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs

from packerpy import events
from packerpy.cli.text import clean
from packerpy.kit.sizes import show_duration

_LISTED = 100
"""Tasks of a plan that are listed when a build begins."""

Mood = Literal["step", "output", "message", "good", "bad", "quiet"]


@attrs.frozen
class Line:
    """A line to show.

    :ivar build: whose; empty for the run.
    :ivar mood: what kind, for its colour.
    :ivar text: the line.
    """

    build: str
    mood: Mood
    text: str


def lines_of(event: events.Event) -> Iterator[Line]:
    """The lines for an event; none for progress."""
    for mood, text in _texts(event):
        yield Line(event.build, mood, clean(text))


def _texts(event: events.Event) -> Iterator[tuple[Mood, str]]:
    match event:
        case events.RunStarted():
            yield from (("quiet", line) for line in _plan(event))
        case events.TaskStarted():
            yield "step", f"{_what(event)}: {event.title}"
        case events.TaskOutput():
            yield "output", event.text
        case events.TaskMessage():
            yield "message", event.text
        case events.TaskFinished():
            yield from _finished(event)
        case events.Undone():
            yield (
                ("bad", f"could not undo {event.title}: {event.error}")
                if event.error
                else (
                    "quiet",
                    f"undone: {event.title}",
                )
            )
        case events.CancelRequested():
            yield (
                "bad",
                "stopping at once" if event.immediate else "stopping; everything made is undone (again: at once)",
            )
        case events.RunFinished():
            yield from _ended(event)


def _plan(event: events.RunStarted) -> Iterator[str]:
    """The sum, and a line a task unless they are too many to be read."""
    running = sum(action in ("run", "restore") for _, _, action, _, _ in event.tasks)
    reused = sum(action == "reuse" for _, _, action, _, _ in event.tasks)
    line = f"run {event.run}: {running} tasks to run" + (f", {reused} to re-use" if reused else "")
    yield line + (f", about {show_duration(event.seconds)}" if event.seconds else "")
    if len(event.tasks) <= _LISTED:
        for task, title, action, reason, seconds in event.tasks:
            took = f" (about {show_duration(seconds)})" if seconds is not None and action in ("run", "restore") else ""
            yield f"  {action:<7} {task}  {title}  [{reason}]{took}"


def _what(event: events.Event) -> str:
    return event.task.removeprefix(f"{event.build}/")


def _finished(event: events.TaskFinished) -> Iterator[tuple[Mood, str]]:
    what = _what(event)
    if event.status == "done":
        yield "good", f"{what}: done in {show_duration(event.seconds)}"
    elif event.status == "reused":
        if what == "deliver":
            yield "good", "unchanged, re-used"
    elif event.status == "aborted":
        yield "bad", f"{what}: {event.error}"
    elif event.status == "cancelled":
        yield "bad", f"{what}: cancelled"
    else:
        yield "bad", f"{what}: failed after {show_duration(event.seconds)}: {event.error.partition(chr(10))[0]}"


def _ended(event: events.RunFinished) -> Iterator[tuple[Mood, str]]:
    for build, artifact in dict.fromkeys(event.artifacts):
        yield "good", f"{build} → {artifact}"
    yield ("good" if event.status == "done" else "bad"), f"{event.status} in {show_duration(event.seconds)}"
