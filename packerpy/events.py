"""What a run tells the world: frozen values, rendered by the console, the JSON log, a notebook or a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import attrs

Status = Literal["done", "reused", "failed", "aborted", "cancelled"]


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened.

    :ivar at: seconds since the epoch.
    :ivar build: the build it belongs to; empty for the run as a whole.
    :ivar task: the task it belongs to (``web/step-1``); empty for the run or the build as a whole.
    """

    at: float = attrs.field(factory=time.time)
    build: str = ""
    task: str = ""


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A plan is being executed.

    :ivar run: the run's token.
    :ivar tasks: of each task, in order: id, title, action, reason, and how many seconds it took the last time, if that
        is known.
    :ivar seconds: how long the run will take at least, if known.
    """

    run: str
    tasks: tuple[tuple[str, str, str, str, float | None], ...] = ()
    seconds: float | None = None


@attrs.frozen(kw_only=True)
class TaskStarted(Event):
    """A task begins."""

    title: str


@attrs.frozen(kw_only=True)
class TaskOutput(Event):
    """One line that a command of the task printed, without its line end, secrets masked.

    :ivar stream: ``stdout`` or ``stderr``.
    """

    stream: str
    text: str


@attrs.frozen(kw_only=True)
class TaskMessage(Event):
    """Something worth telling, in a sentence."""

    text: str


@attrs.frozen(kw_only=True)
class TaskProgress(Event):
    """How far a task is.

    :ivar done: in ``unit``.
    :ivar total: in ``unit``; ``None`` when nobody knows.
    """

    done: float
    total: float | None
    unit: str


@attrs.frozen(kw_only=True)
class TaskFinished(Event):
    """A task ended.

    :ivar status: how.
    :ivar seconds: how long it took.
    :ivar error: the error's text, for ``failed``; what it waited for, for ``aborted``.
    """

    status: Status
    seconds: float = 0.0
    error: str = ""


@attrs.frozen(kw_only=True)
class Undone(Event):
    """An acquisition was undone, or could not be.

    :ivar title: what it was.
    :ivar error: why it could not be undone; empty when it was.
    """

    title: str
    error: str = ""


@attrs.frozen(kw_only=True)
class CancelRequested(Event):
    """The user asked to stop.

    :ivar immediate: for the second time: nothing more is undone.
    """

    immediate: bool = False


@attrs.frozen(kw_only=True)
class RunFinished(Event):
    """Everything ended.

    :ivar status: ``done``, ``failed`` or ``cancelled``.
    :ivar artifacts: of each delivered artifact: build name and path or id.
    """

    status: Status
    seconds: float = 0.0
    artifacts: tuple[tuple[str, str], ...] = ()


Listener = Callable[[Event], None]
"""Called from any thread, one event at a time."""
