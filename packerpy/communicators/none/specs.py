"""No channel at all: for machines that set themselves up and shut themselves down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import ClassVar, NoReturn

from packerpy.contracts import Communicator, CommunicatorSpec, Connector, OutputSink, Run
from packerpy.declare.declaration import declaration
from packerpy.errors import CommunicatorError
from packerpy.values import Command, Completed, Machine, Problem, Support


@declaration(kw_only=True)
class NoCommunicator(CommunicatorSpec):
    """There is no channel; only an image without steps and tests can use this."""

    kind: ClassVar[str] = "none"
    support: ClassVar[tuple[Support, ...]] = (Support("no communicator", "itself: it opens no channel", "run"),)

    def check(self) -> Iterable[Problem]:
        """Nothing can be wrong."""
        return ()

    def load(self) -> Connector:
        """The worker."""
        return _Connector()


class _Connector(Connector):
    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> Communicator:
        return _Mute()


class _Mute(Communicator):
    """Refuses everything but to be closed."""

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        _refuse(f"run `{command.line[:100]}`")

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        _refuse(f"upload {source}")

    def get(self, source: PurePath, target: Path) -> None:
        _refuse(f"download {source}")

    def close(self) -> None:
        """Nothing is open."""


def _refuse(what: str) -> NoReturn:
    raise CommunicatorError(
        f"cannot {what}: the machine has no communicator",
        resolution="give the source another communicator, such as SSH(), or take the step away",
    )
