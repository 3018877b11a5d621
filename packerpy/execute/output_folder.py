"""The folder that a build delivers to: nothing shows in it before everything is complete."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import attrs

from packerpy.contracts import Run, Step
from packerpy.errors import OutputError
from packerpy.values import Artifact, Problem


@attrs.frozen
class OutputLock(Step[int]):
    """Keeps two builds from writing to the same output folder at once; gone when the process is."""

    folder: Path

    @property
    def title(self) -> str:
        """Which."""
        return f"lock of {self.folder}"

    def do(self, run: Run) -> int:
        """Take it, or say who is in the way."""
        locks = run.cache / "locks"
        locks.mkdir(mode=0o700, exist_ok=True)
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:32]
        descriptor = os.open(locks / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OutputError(
                f"another build is writing to {self.folder}",
                resolution="wait until it has ended, or give this build another output folder",
            ) from error
        return descriptor

    def undo(self, run: Run, made: int) -> None:
        """Let it go."""
        os.close(made)

    def find(self, run: Run) -> int | None:
        """A dead process holds no lock."""
        return None


def occupied(build: str, folder: Path, *, force: bool) -> Iterable[Problem]:
    """Whether something stands where a build wants to deliver; an empty folder is nothing."""
    if folder.exists() and not force and not (folder.is_dir() and not any(folder.iterdir())):
        yield Problem(
            where=build,
            what="the output folder exists already",
            seen=str(folder),
            fix="move it away, choose another one, or replace it with --force (force=True)",
        )


def keep_only(staging: Path, artifacts: Iterable[Artifact]) -> None:
    """Remove from the staging folder what belongs to no artifact."""
    kept = {path for artifact in artifacts for path in artifact.files}
    for path in sorted(staging.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept:
            path.unlink()


def publish(staging: Path, folder: Path) -> None:
    """Give the staging folder its final name; what stood there before goes when the new one is in place."""
    for path in [*staging.rglob("*"), staging]:
        _sync(path)
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}") if folder.exists() else None
    if old is not None:
        folder.rename(old)
    try:
        staging.rename(folder)
    except OSError as error:
        if old is not None:
            old.rename(folder)
        raise OutputError(f"cannot deliver to {folder}", details=str(error)) from error
    _sync(folder.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
