"""The ways to move files over a connection, by the name under which they are declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Protocol

from packerpy.communicators.ssh.scp import ScpMover
from packerpy.communicators.ssh.sftp import SftpMover
from packerpy.communicators.ssh.shell_files import ShellMover
from packerpy.contracts import Run

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel


class Mover(Protocol):
    """One way; ``label`` is what errors call the transfer."""

    def __init__(self, channel: SSHChannel, run: Run) -> None: ...

    def put(self, file: IO[bytes], target: PurePath, mode: int, label: str) -> None:
        """Upload; the file appears when complete, its parent folders are made."""
        ...

    def get(self, source: PurePath, file: IO[bytes], label: str) -> None:
        """Download."""
        ...

    def put_tree(self, source: Path, target: PurePath, label: str) -> None:
        """Upload the contents of a folder."""
        ...

    def get_tree(self, source: PurePath, target: Path, label: str) -> None:
        """Download the contents of a folder into one that is there."""
        ...


MOVERS: Mapping[str, type[Mover]] = MappingProxyType({"shell": ShellMover, "sftp": SftpMover, "scp": ScpMover})
