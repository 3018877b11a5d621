"""A folder as a tar stream: written without touching the disk, read without trusting who sent it.

Names are bytes on both sides (UTF-8 with surrogate escapes), modes, symbolic and hard links, empty folders and times
are kept; owners are not. GNU's dialect is used because busybox reads its long names, too.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

import attrs

from packerpy.errors import CommunicatorError


class Writes(Protocol):
    """Takes bytes, all of them."""

    def write(self, data: bytes, /) -> object:
        """Take them."""
        ...


def _ignore(_name: str) -> None:
    """Nobody wants to know."""


def pack(folder: Path, target: Writes, *, skipped: Callable[[str], None] = _ignore) -> None:
    """Write the contents of ``folder`` (not the folder itself) as a tar stream.

    :param skipped: told the name of each socket, pipe or device, which are left out.
    :raises OSError: a file cannot be read, or shrank while it was read.
    """
    with tarfile.open(
        fileobj=cast("IO[bytes]", target),  # a stream needs write() only
        mode="w|",
        bufsize=1 << 18,
        format=tarfile.GNU_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    ) as archive:
        for path, name in _walk(folder):
            member = archive.gettarinfo(path, arcname=name)
            if member is None or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                skipped(name)
                continue
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if member.isreg():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)


def _walk(folder: Path, prefix: str = "") -> Iterator[tuple[Path, str]]:
    """Everything below, each folder before what is in it, in a stable order; links are not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        yield Path(entry.path), name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), name + "/")


@attrs.define
class _Late:
    """What is done when all files are there: a link made earlier could lead later files out of the folder."""

    symlinks: list[tuple[Path, str]] = attrs.field(factory=list)
    hardlinks: list[tuple[Path, Path]] = attrs.field(factory=list)
    folders: list[tuple[Path, tarfile.TarInfo]] = attrs.field(factory=list)


def unpack(source: IO[bytes], target: Path, *, skipped: Callable[[str], None] = _ignore) -> None:
    """Read a tar stream into the existing folder ``target``, and nowhere else, whatever the stream says.

    :param skipped: told the name of each device or pipe, which are left out.
    :raises CommunicatorError: the stream is damaged, or names a place outside of the folder.
    :raises OSError: a file cannot be written.
    """
    late = _Late()
    try:
        with tarfile.open(
            fileobj=source, mode="r|", bufsize=1 << 18, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for member in archive:
                _unpack_member(archive, member, target, late, skipped)
    except tarfile.TarError as error:
        raise CommunicatorError("the tar stream is damaged", details=str(error)) from error
    _finish(late)


def _unpack_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, late: _Late, skipped: Callable[[str], None]
) -> None:
    path = _inside(target, member.name)
    if path == target:
        return
    if member.isdir():
        _make_folder(path, target)
        late.folders.append((path, member))
        return
    _make_folder(path.parent, target)
    if member.isreg():
        _write_file(archive, member, path)
    elif member.issym():
        late.symlinks.append((path, member.linkname))
    elif member.islnk():
        late.hardlinks.append((_inside(target, member.linkname), path))
    else:
        skipped(member.name)


def _inside(target: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise CommunicatorError(f"the tar stream names a place outside of its folder: {name!r}")
    return target.joinpath(*parts)


def _make_folder(path: Path, target: Path) -> None:
    """Make ``path`` below ``target``; links that lie in the way are replaced, never followed."""
    if path == target:
        return
    _make_folder(path.parent, target)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
    path.mkdir(exist_ok=True, mode=0o700)


def _write_file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    _clear(path)
    content = archive.extractfile(member)
    with path.open("xb") as file:
        if content is not None:
            shutil.copyfileobj(content, file, 1 << 18)
    path.chmod(member.mode & 0o7777)
    os.utime(path, (member.mtime, member.mtime))


def _clear(path: Path) -> None:
    """Make room for a file or link, as tar does: a folder is not removed unless it is empty."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _finish(late: _Late) -> None:
    for existing, path in late.hardlinks:
        _clear(path)
        if stat.S_ISREG(existing.lstat().st_mode):
            os.link(existing, path, follow_symlinks=False)
    for path, text in late.symlinks:
        _clear(path)
        path.symlink_to(text)
    for path, member in reversed(late.folders):  # a folder's own time changes with what is put into it
        with suppress(FileNotFoundError):
            path.chmod(member.mode & 0o7777)
            os.utime(path, (member.mtime, member.mtime))
