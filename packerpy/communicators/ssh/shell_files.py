"""Files through the machine's shell: ``cat`` for one, a tar stream for many."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

from packerpy.communicators.ssh import remote_script, trees
from packerpy.contracts import Run
from packerpy.values import Command

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel

PIECE = 1 << 18
"""Bytes read from a file at a time."""


class ShellMover:
    """The usual way; see :class:`packerpy.communicators.ssh.movers.Mover`."""

    def __init__(self, channel: SSHChannel, run: Run) -> None:
        self._channel, self._run = channel, run
        self._known: frozenset[str] | None = None

    def put(self, file: IO[bytes], target: PurePath, mode: int, label: str) -> None:
        """See there."""
        line = remote_script.put_file(
            str(target),
            str(target.parent / f".packerpy-{secrets.token_hex(8)}"),
            str(target.parent),
            size=os.fstat(file.fileno()).st_size,
            mode=mode,
        )
        self._channel.transfer(line, label, feed=lambda write: copy(file, write))

    def get(self, source: PurePath, file: IO[bytes], label: str) -> None:
        """See there."""
        self._channel.transfer(remote_script.get_file(str(source)), label, output=file.write)

    def put_tree(self, source: Path, target: PurePath, label: str) -> None:
        """See there."""
        trees.put(self._channel, source, target, self.abilities(), label, say=self._run.say)

    def get_tree(self, source: PurePath, target: Path, label: str) -> None:
        """See there."""
        trees.get(self._channel, source, target, self.abilities(), label, say=self._run.say)

    def abilities(self) -> frozenset[str]:
        """What the machine can do with trees; asked once."""
        if self._known is None:
            self._known = frozenset(self._channel.run(Command(line=remote_script.PROBE)).stdout.split())
        return self._known


def copy(file: IO[bytes], write: Callable[[bytes], object]) -> None:
    """All of a file, piece by piece."""
    while data := file.read(PIECE):
        write(data)
