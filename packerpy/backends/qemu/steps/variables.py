"""The machine's own copy of UEFI's variables."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs

from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class CopyVariables(Step[Path]):
    """Acquires a writable copy of the firmware's empty variable store.

    :ivar path: the new file.
    :ivar template: the distribution's file.
    """

    path: Path
    template: Path

    @property
    def title(self) -> str:
        """Of which firmware."""
        return f"firmware variables from {self.template.name}"

    def do(self, run: Run) -> Path:
        """Copy them."""
        shutil.copyfile(self.template, self.path)
        return self.path

    def undo(self, run: Run, made: Path) -> None:
        """Remove them."""
        made.unlink(missing_ok=True)

    def find(self, run: Run) -> Path | None:
        """By its path."""
        return self.path if self.path.exists() else None
