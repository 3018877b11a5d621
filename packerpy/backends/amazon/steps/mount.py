"""File systems on this host, and what is put into them for a time."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import attrs

from packerpy.contracts import Run, Step
from packerpy.errors import BuildError, SourceError
from packerpy.kit import process


@attrs.frozen(kw_only=True)
class MountPoint(Step[Path]):
    """Acquires an empty folder to mount on, by its path; what the local channel puts beside it goes with it.

    :ivar path: where.
    """

    path: Path

    @property
    def title(self) -> str:
        """Which."""
        return f"folder {self.path}"

    def do(self, run: Run) -> Path:
        """Make it."""
        try:
            self.path.mkdir(parents=True)
        except OSError as error:
            raise SourceError(f"cannot make the folder {self.path} to mount on", details=str(error)) from error
        return self.path

    def undo(self, run: Run, made: Path) -> None:
        """Remove it if it is empty; a file system that is still mounted there is not touched."""
        shutil.rmtree(self.path.with_name(self.path.name + ".run"), ignore_errors=True)
        with suppress(FileNotFoundError):
            self.path.rmdir()

    def find(self, run: Run) -> Path | None:
        """It, if it is there."""
        return self.path if self.path.exists() else None


@attrs.frozen(kw_only=True)
class Mount(Step[Path]):
    """Acquires a mounted file system, by its place.

    :ivar source: a device, or what else the type wants.
    :ivar target: where.
    :ivar type: of file system; ``bind`` for a folder of the host's; by default the kernel finds out.
    :ivar options: of mount.
    :ivar tree: what the target must be in, wherever links lead.
    """

    source: str
    target: Path
    type: str = ""
    options: tuple[str, ...] = ()
    tree: Path | None = None

    @property
    def title(self) -> str:
        """Which."""
        return f"{self.source} on {self.target}"

    def do(self, run: Run) -> Path:
        """Mount it."""
        argv: list[str | Path] = [process.find_tool("mount", package="mount", needed_for="mounting volumes")]
        if self.type == "bind":
            argv.append("--bind")
        elif self.type:
            argv += ["-t", self.type]
        if self.options:
            argv += ["-o", ",".join(self.options)]
        if self.tree is not None:
            _inside(self.tree, self.target).mkdir(parents=True, exist_ok=True)
        process.call([*argv, self.source, self.target], cancellation=run.cancellation, error=SourceError)
        return self.target

    def undo(self, run: Run, made: Path) -> None:
        """Write everything out and unmount it; what still uses it must not keep it."""
        umount = process.find_tool("umount", package="mount", needed_for="unmounting volumes")
        while self.find(run) is not None:
            if self.type != "bind":  # another name space may have it mounted still, so that unmounting writes nothing
                process.call(["sync", "-f", self.target])
            try:
                process.call([umount, self.target])
            except BuildError:
                process.call([umount, "--lazy", self.target])

    def find(self, run: Run) -> Path | None:
        """By the kernel's table."""
        wanted = str(self.target.resolve())
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        points = (line.split()[4] for line in lines)
        return self.target if any(_plain(point) == wanted for point in points) else None


def _plain(point: str) -> str:
    """A path as the table has it, with blanks and the like as octal numbers."""
    return point.encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")


@attrs.frozen(kw_only=True)
class LendFile(Step[Path]):
    """Acquires a file of the host's in a tree, at the same place; what was there is put back.

    :ivar source: of the host.
    :ivar tree: into which.
    """

    source: Path
    tree: Path

    @property
    def title(self) -> str:
        """Which."""
        return f"copy of {self.source}"

    def _places(self) -> tuple[Path, Path]:
        """The file in the tree, and where what was there before waits."""
        target = _inside(self.tree, self.tree / self.source.relative_to("/"))
        return target, target.with_name(target.name + ".packerpy-kept")

    def do(self, run: Run) -> Path:
        """Copy it."""
        target, aside = self._places()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                target.rename(aside)
            shutil.copy2(self.source, target)
        except OSError as error:
            raise SourceError(f"cannot copy {self.source} to {target}", details=str(error)) from error
        return target

    def undo(self, run: Run, made: Path) -> None:
        """Put back what was there."""
        target, aside = self._places()
        target.unlink(missing_ok=True)
        if os.path.lexists(aside):
            aside.rename(target)

    def find(self, run: Run) -> None:
        """Not looked for: after a crash the volume that it lies on is thrown away."""
        return


def _inside(tree: Path, path: Path) -> Path:
    """The path with its folder's links followed.

    :raises SourceError: they lead out of the tree.
    """
    folder = path.parent.resolve()
    if not folder.is_relative_to(tree.resolve()):
        raise SourceError(f"{path} is outside of {tree}: its folder is a link to {folder}")
    return folder / path.name
