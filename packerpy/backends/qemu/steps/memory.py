"""The guest's memory, as a file that QEMU maps."""

from __future__ import annotations

import io
import os
from pathlib import Path

import attrs

from packerpy.backends.qemu.errors import NotSaved
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class MakeMemory(Step[io.FileIO]):
    """Acquires a file in memory that has no name: it goes when its last holder ends, in whatever way.

    A file on a disk would do as well, but the kernel would write the guest's memory to that disk all the time.

    :ivar size: bytes.
    """

    size: int

    @property
    def title(self) -> str:
        """How much."""
        return f"guest memory of {self.size >> 20} MiB"

    def do(self, run: Run) -> io.FileIO:
        """Make it; pages take room only once they are written.

        :raises NotSaved: the kernel has no such files.
        """
        try:
            file = io.FileIO(os.memfd_create("packerpy-memory", os.MFD_CLOEXEC), "r+")
        except OSError as error:
            raise NotSaved(f"no file in memory could be made: {error}") from error
        file.truncate(self.size)
        return file

    def undo(self, run: Run, made: io.FileIO) -> None:
        """Let it go."""
        made.close()

    def find(self, run: Run) -> io.FileIO | None:
        """Nothing outlives its holders."""
        return None


def inherited(descriptor: int) -> Path:
    """The path under which a child opens a file that it inherited."""
    return Path(f"/dev/fd/{descriptor}")
