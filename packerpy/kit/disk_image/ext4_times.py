"""The times that mke2fs leaves in a file system, set to one: those of inode changes and reads are the host's own."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path

from packerpy.contracts import Cancellation
from packerpy.errors import SourceError
from packerpy.kit import process

_SUPERBLOCK = 1024
_WRITTEN_AT = 0x30
_CHECKSUM_AT = 0x3FC
_ROOT, _JOURNAL, _FIRST = 2, 8, 11
"""Numbers of inodes: those below 11 are the file system's own, and two of them have times."""


def set_times(image: Path, offset: int, epoch: int, *, cancellation: Cancellation | None = None) -> None:
    """Set change and access time of every inode, and the time of the last write, to ``epoch``.

    :param offset: where in ``image`` the file system begins, in bytes.
    :param epoch: seconds since 1970.
    """
    debugfs = process.find_tool("debugfs", package="e2fsprogs", needed_for="reproducible disks")
    place = f"{image}?offset={offset}"
    fields = [(number, field) for number in used_inodes(place, cancellation) for field in ("atime", "ctime")]
    script = "".join(f"set_inode_field <{number}> {field} @{epoch}\n" for number, field in fields)
    argv = [debugfs, "-w", "-f", "-", place]
    process.call(argv, input=script.encode(), cancellation=cancellation, error=SourceError, label="debugfs")
    _set_written(image, offset + _SUPERBLOCK, epoch)


def used_inodes(place: str, cancellation: Cancellation | None = None) -> Iterable[int]:
    """Numbers of the inodes that hold something."""
    dumpe2fs = process.find_tool("dumpe2fs", package="e2fsprogs", needed_for="reproducible disks")
    told = process.call([dumpe2fs, place], cancellation=cancellation, error=SourceError, label="dumpe2fs").text
    count = re.search(r"^Inode count:\s+(\d+)", told, re.MULTILINE)
    if count is None:
        raise SourceError("dumpe2fs does not tell the number of inodes", details=process.last_lines(told))
    free: set[int] = set()
    for line in re.findall(r"^  Free inodes: ?(.*)$", told, re.MULTILINE):
        for part in filter(None, line.split(", ")):
            first, _, last = part.partition("-")
            free.update(range(int(first), int(last or first) + 1))
    return [_ROOT, _JOURNAL, *(number for number in range(_FIRST, int(count[1]) + 1) if number not in free)]


def _set_written(image: Path, superblock: int, epoch: int) -> None:
    """Only the first superblock is written anew by debugfs; its copies are mke2fs's own."""
    with image.open("r+b") as file:
        file.seek(superblock)
        data = bytearray(file.read(1024))
        struct.pack_into("<I", data, _WRITTEN_AT, epoch)
        struct.pack_into("<I", data, _CHECKSUM_AT, crc32c(data[:_CHECKSUM_AT]))
        file.seek(superblock)
        file.write(data)


def crc32c(data: bytes | bytearray) -> int:
    """Castagnoli's CRC as ext4 has it: begun with all ones, not inverted at the end."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value
