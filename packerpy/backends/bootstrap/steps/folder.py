"""The folder in which the tree grows."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.contracts import Run, Step
from packerpy.kit import process
from packerpy.kit.namespaces import isolated


@attrs.frozen(kw_only=True)
class WorkFolder(Step[Path]):
    """A folder whose content may belong to any user of the machine to be made.

    :ivar path: where it is made; its name holds the run's token.
    """

    path: Path

    @property
    def title(self) -> str:
        """For people."""
        return f"folder {self.path}"

    def do(self, run: Run) -> Path:
        """Make it."""
        self.path.mkdir(parents=True, mode=0o755)
        self.path.chmod(0o755)
        return self.path

    def undo(self, run: Run, made: Path) -> None:
        """Remove all of it; nothing is mounted in it outside of commands that have ended."""
        if made.exists():
            argv = isolated(["rm", "-rf", "--one-file-system", "--", made])
            process.call(argv, cancellation=run.cancellation, label=f"removing {made}")

    def find(self, run: Run) -> Path | None:
        """It, if it is there."""
        return self.path if self.path.exists() else None
