"""A channel that writes down what is asked of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath

from packerpy.contracts import Communicator, OutputSink
from packerpy.errors import CommunicatorError
from packerpy.values import Command, Completed


class RecordingChannel(Communicator):
    """Answers commands from a table and keeps files in memory.

    :param answers: regular expression → how a command whose line it finds a match in ends; first match wins, no match
        ends with exit code 0.
    :ivar commands: every command, in order.
    :ivar files: path in the machine → content, for what was put.
    """

    def __init__(self, answers: Mapping[str, Completed | BaseException] | None = None) -> None:
        self._answers = dict(answers or {})
        self.commands: list[Command] = []
        self.files: dict[PurePath, bytes] = {}
        self.modes: dict[PurePath, int] = {}
        self.closed = False

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """Record and answer."""
        self.commands.append(command)
        for pattern, answer in self._answers.items():
            if re.search(pattern, command.line):
                if isinstance(answer, BaseException):
                    raise answer
                if sink is not None:
                    for stream, text in (("stdout", answer.stdout), ("stderr", answer.stderr)):
                        if text:
                            sink(stream, text)
                return answer
        return Completed(exit_status=0)

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """Keep the file."""
        try:
            self.files[target] = source.read_bytes()
        except OSError as error:
            raise CommunicatorError(f"cannot read {source}", details=str(error)) from error
        self.modes[target] = mode if mode is not None else source.stat().st_mode & 0o7777

    def get(self, source: PurePath, target: Path) -> None:
        """Hand out what was put."""
        if source not in self.files:
            raise CommunicatorError(f"there is no {source} in the machine")
        target.write_bytes(self.files[source])

    def close(self) -> None:
        """Remember it."""
        self.closed = True
