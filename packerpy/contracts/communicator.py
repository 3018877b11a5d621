"""Channels into a machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import ClassVar, Protocol, runtime_checkable

from packerpy.contracts.run import Run
from packerpy.values import Command, Completed, Machine, Problem


class OutputSink(Protocol):
    """Takes output as it comes: ``sink("stdout", text)``; the text may end in the middle of a line."""

    def __call__(self, stream: str, text: str, /) -> None: ...


@runtime_checkable
class Communicator(Protocol):
    """An open channel, safe from several threads."""

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """Run a command to its end and answer how it ended, whatever its exit code.

        :raises packerpy.errors.Disconnected: the channel was lost before the command ended.
        :raises packerpy.errors.CommunicatorError: it could not be started, or ran into its timeout (and was killed).
        :raises packerpy.errors.CancelledError: the run was cancelled; the command was killed.
        """
        ...

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """Upload one file; ``mode`` (permission bits) defaults to the source's.

        :raises packerpy.errors.CommunicatorError: it could not be read, sent or written.
        """
        ...

    def get(self, source: PurePath, target: Path) -> None:
        """Download one file; the target appears only when complete."""
        ...

    def close(self) -> None:
        """Close the channel; safe to call twice."""
        ...


class CommunicatorSpec(Protocol):
    """How to talk to a machine, as declared: frozen and hashable."""

    kind: ClassVar[str]

    def check(self) -> Iterable[Problem]:
        """All problems of the declaration; offline and pure."""
        ...

    def load(self) -> Connector:
        """The worker; the only door to a heavy import."""
        ...


class Connector(Protocol):
    """Opens channels of one kind."""

    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> Communicator:
        """Wait for the machine to answer and open a channel to it.

        :param died: asked while waiting; answers why the machine is gone, or ``None`` while it lives.
        :raises packerpy.errors.CommunicatorError: it did not within the declared time.
        """
        ...
