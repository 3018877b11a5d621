"""The file that takes what a guest writes."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.backends.qemu import images
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class CreateOverlay(Step[Path]):
    """Acquires a copy-on-write qcow2, or an empty one.

    :ivar path: the new file.
    :ivar backing: what it starts from, never written to; ``None`` makes an empty disk. What lies in the same folder is
        referred to by its name only, so that both may get further names side by side in another folder.
    :ivar backing_format: the format of that.
    :ivar size: virtual size in bytes; ``None`` is the size of ``backing``. It must be given where that is open.
    """

    path: Path
    backing: Path | None = None
    backing_format: str = "qcow2"
    size: int | None = None

    @property
    def title(self) -> str:
        """Which file."""
        return f"overlay {self.path.name}" + (f" on {self.backing.name}" if self.backing else "")

    def do(self, run: Run) -> Path:
        """Make it."""
        images.create(run, self.path, backing=self.backing, backing_format=self.backing_format, size=self.size)
        return self.path

    def undo(self, run: Run, made: Path) -> None:
        """Remove it."""
        made.unlink(missing_ok=True)

    def find(self, run: Run) -> Path | None:
        """By its path."""
        return self.path if self.path.exists() else None
