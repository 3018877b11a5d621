"""What is asked in the middle of a build, and of whom."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import Literal

import attrs

from packerpy.contracts import Communicator
from packerpy.errors import PackerpyError
from packerpy.values import Machine

Answer = Literal["clean", "abort", "retry"]


@attrs.frozen(kw_only=True)
class Failure:
    """What the user is asked about.

    :ivar build: the build that failed.
    :ivar task: the task that failed.
    :ivar error: why.
    :ivar can_retry: whether the task can be tried again: on the same machine, or on one from the checkpoint before it
        where machines are saved.
    :ivar machine: the machine as the failure left it; ``None`` when there is none.
    :ivar reach: opens another channel to it; whoever calls it closes the channel.
    """

    build: str
    task: str
    error: PackerpyError
    can_retry: bool
    machine: Machine | None = None
    reach: Callable[[], Communicator] | None = None


Ask = Callable[[Failure], Answer]
"""Called from a build's thread; the build waits for the answer."""


@attrs.frozen(kw_only=True)
class Stop:
    """Where a build has stopped: before a task, or at a breakpoint.

    :ivar build: the build.
    :ivar task: the task that comes next, or in which it stopped.
    :ivar title: what it does, or what the breakpoint says.
    :ivar machine: the machine as it is now; ``None`` before it was booted.
    :ivar reach: as in :class:`Failure`.
    """

    build: str
    task: str
    title: str
    machine: Machine | None = None
    reach: Callable[[], Communicator] | None = None


AskSecret = Callable[[str], str | None]
"""Asks for a text that nobody may see, told what for; ``None`` when there is nobody to ask. Called from any thread."""


def on_terminal(prompt: str) -> str | None:
    """Ask on the terminal, if there is one, without showing what is typed."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else None


AskStop = Callable[[Stop], bool]
"""Called before a task, or at a breakpoint; ``False`` cancels the run."""
