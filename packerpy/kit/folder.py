"""Acquiring a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs

from packerpy.contracts import Run, Step
from packerpy.errors import OutputError


@attrs.frozen
class Folder(Step[Path]):
    """A new folder, for this user only unless told otherwise; undone with all that is in it.

    :ivar path: where.
    :ivar purpose: what it is, for people.
    :ivar mode: its permission bits, less the process's umask.
    """

    path: Path
    purpose: str = "folder"
    mode: int = 0o700

    @property
    def title(self) -> str:
        """Which."""
        return f"{self.purpose} {self.path}"

    def do(self, run: Run) -> Path:
        """Make it, and those above it.

        :raises OutputError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=self.mode, parents=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {self.path}",
                details=str(error),
                resolution="choose another place, or make this one writable",
            ) from error
        return self.path

    def undo(self, run: Run, made: Path) -> None:
        """Remove it, if it has not been moved away."""
        shutil.rmtree(made, ignore_errors=True)

    def find(self, run: Run) -> Path | None:
        """By its path."""
        return self.path if self.path.exists() else None
