"""File systems on this host, and what is put into them for a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
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
    :ivar wrapper: put before the programs that mount and unmount it.
    """

    source: str
    target: Path
    type: str = ""
    options: tuple[str, ...] = ()
    tree: Path | None = None
    wrapper: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Which."""
        return f"{self.source} on {self.target}"

    def do(self, run: Run) -> Path:
        """Mount it."""
        mount = process.find_tool("mount", package="mount", needed_for="mounting volumes")
        argv: list[str | Path] = [*self.wrapper, mount]
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
        _unmount(self.target, self.wrapper, sync=self.type != "bind")

    def find(self, run: Run) -> Path | None:
        """By the kernel's table."""
        return self.target if self.target.resolve() in _mounted() else None


@attrs.frozen(kw_only=True)
class MountByCommand(Step[Path]):
    """Acquires what a shell line mounts, by its place.

    :ivar command: the line.
    :ivar undoing: another one, for what else the first has set up; run when everything is unmounted, also when the
        first failed.
    :ivar env: both lines' environment variables, next to ours.
    :ivar target: where something is mounted then.
    :ivar wrapper: put before them.
    """

    command: str
    undoing: str
    env: dict[str, str]
    target: Path
    wrapper: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Which."""
        return f"what is mounted on {self.target}"

    def do(self, run: Run) -> Path:
        """Run it."""
        run_line(self.command, self.env, self.wrapper, run=run)
        if self.target.resolve() not in _mounted():
            raise SourceError(
                f"nothing is mounted on {self.target}",
                details=f"after: {self.command}",
                resolution="mount_command must mount the root on $PACKERPY_MOUNT",
            )
        return self.target

    def undo(self, run: Run, made: Path) -> None:
        """Unmount all that is mounted there, the innermost first, and run the other line."""
        target = self.target.resolve()
        for place in reversed([place for place in _mounted() if place.is_relative_to(target)]):
            _unmount(place, self.wrapper, sync=True)
        if self.undoing:
            run_line(self.undoing, self.env, self.wrapper)

    def find(self, run: Run) -> Path | None:
        """Nobody knows what the line has done: the folder that it was to mount on stands for all of it."""
        return self.target if self.target.exists() else None


def run_line(line: str, env: Mapping[str, str], wrapper: Sequence[str], *, run: Run | None = None) -> None:
    """Run a shell line on this host.

    :param run: ends it when it is cancelled, and is told what it prints; a line that undoes something has none.
    :raises SourceError: it failed.
    """
    argv = [*wrapper, "/bin/sh", "-e", "-c", line]
    cancellation, sink = (None, None) if run is None else (run.cancellation, run.output)
    whole = {**os.environ, **env}
    process.call(argv, cancellation=cancellation, sink=sink, env=whole, error=SourceError, label=line)


def _unmount(place: Path, wrapper: Sequence[str], *, sync: bool) -> None:
    """As often as something is mounted there.

    :param sync: write it out first: another name space may have it mounted still, so that unmounting writes nothing.
    """
    umount = process.find_tool("umount", package="mount", needed_for="unmounting volumes")
    while place.resolve() in _mounted():
        if sync:
            process.call(["sync", "-f", place])
        try:
            process.call([*wrapper, umount, place])
        except BuildError:
            process.call([*wrapper, umount, "--lazy", place])


def _mounted() -> list[Path]:
    """Where file systems are mounted, by the kernel's table, in the order in which they were."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [Path(_plain(line.split()[4])) for line in lines]


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
