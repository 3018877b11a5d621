"""Files that become visible only when they are complete, and survive a power cut once they are visible."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packerpy.errors import OutputError

_FULL = {errno.ENOSPC: "is full", errno.EDQUOT: "has reached its quota", errno.EFBIG: "does not hold files that large"}
_POLL = 0.05
"""Seconds between two looks at a lock that another process holds; the kernel has no event for it."""


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to be written; when the block ends well, its file takes the place of ``target``.

    The file is flushed to the disk before it is renamed and the folder after, so ``target`` holds the old content or
    all of the new. When the block raises, what was written is removed and ``target`` is as it was.

    :raises OutputError: the file system is full, or the folder is missing or not writable.
    """
    temporary = target.parent / f".packerpy-{secrets.token_hex(8)}.part"
    try:
        _must_be_writable(target.parent)
        with full_disk_named(target.parent):
            yield temporary
            _publish(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder_of(target: Path) -> None:
    """Make the folder that a file is to be written to, with those above it.

    :raises OutputError: it cannot be made, or not be written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {target.parent} cannot be made", details=error.strerror, resolution="choose another one"
        ) from error
    _must_be_writable(target.parent)


def write_text(target: Path, text: str) -> None:
    """Write a whole text file by way of :func:`writing`."""
    with writing(target) as path:
        path.write_text(text, encoding="utf-8")


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the operating system's "no space left" into an :class:`OutputError` that says where and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise full(folder, error.errno) from error


def full(folder: Path, number: int = errno.ENOSPC) -> OutputError:
    """The error for a file system that takes no more."""
    with suppress(OSError):
        stat = os.statvfs(folder)
        left = f"{stat.f_bavail * stat.f_frsize // 2**20} MiB are free now, after the unfinished file is gone or going"
        return OutputError(
            f"the file system of {folder} {_FULL[number]}",
            details=left,
            resolution="make room, or choose another folder with output=",
        )
    return OutputError(f"the file system of {folder} {_FULL[number]}")


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable; silent on file systems that cannot."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _must_be_writable(folder: Path) -> None:
    if not folder.is_dir():
        raise OutputError(f"there is no folder {folder}", resolution="make it, or choose another one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {folder} is not writable", resolution="change its mode, or choose another one")


def _publish(temporary: Path, target: Path) -> None:
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        temporary.replace(target)
    except IsADirectoryError as error:
        raise OutputError(f"{target} is a folder, so no file can take its place", resolution="move it away") from error
    sync_folder(target.parent)


@contextmanager
def locked(lock: Path, wait: Callable[[float], None], *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``lock`` against every other thread and process; it is gone afterwards.

    The kernel drops the lock when its holder dies, so a lock file left by a crash blocks nobody.

    :param wait: pauses for so many seconds and raises when cancelled: ``run.wait``.
    :param waiting: called once when somebody else holds the lock.
    """
    told = False
    while (descriptor := _try_lock(lock)) is None:
        if waiting is not None and not told:
            waiting()
            told = True
        wait(_POLL)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is still held: who comes next sees that the file changed
        os.close(descriptor)


def _try_lock(lock: Path) -> int | None:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours, named = os.fstat(descriptor), lock.stat()
        if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass  # held by another, or its holder removed it between our open and our lock
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
