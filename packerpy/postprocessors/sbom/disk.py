"""Reads single files out of a disk image, as an ordinary user: by its partition table and ``debugfs``."""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import attrs

from packerpy.contracts import Run
from packerpy.errors import PostProcessError
from packerpy.kit import process, publish
from packerpy.postprocessors.sbom.specs import DEBUGFS, QEMU_IMG

_SECTOR = 512
_EXT_MAGIC = 1024 + 56
_OTHERS = (
    (0, b"XFSB", "XFS"),
    (0x10040, b"_BHRfS_M", "btrfs"),
    (512, b"LABELONE", "LVM"),
    (0, b"LUKS\xba\xbe", "LUKS, which is encrypted"),
    (0, b"hsqs", "squashfs"),
)
"""Where what is not read has which mark."""
_LINKED_LISTS = (0x05, 0x0F, 0x85)
"""Types of an MBR partition that holds others."""


@contextmanager
def raw(run: Run, disk: Path, form: str) -> Iterator[Path]:
    """The disk as a raw image: itself, or a passing copy beside the results, where there is room for a disk.

    :param form: qemu-img's name of the disk's format.
    """
    if form == "raw":
        yield disk
        return
    tool = process.find_tool(QEMU_IMG.name, package=QEMU_IMG.package, needed_for=QEMU_IMG.needed_for)
    copy = run.staging / f".packerpy-{secrets.token_hex(8)}.part"
    try:
        with publish.full_disk_named(run.staging):
            process.call(
                [tool, "convert", "-f", form, "-O", "raw", disk, copy],
                cancellation=run.cancellation,
                error=PostProcessError,
                label=f"reading {disk.name}",
            )
        yield copy
    except PostProcessError as error:
        if "No space left on device" in (error.details or ""):
            raise publish.full(run.staging) from error
        raise
    finally:
        copy.unlink(missing_ok=True)


@attrs.frozen
class FileSystem:
    """An ext2, ext3 or ext4 in a raw image.

    :ivar offset: where it begins, in bytes.
    """

    disk: Path
    offset: int

    def has(self, run: Run, names: tuple[str, ...]) -> bool:
        """Whether one of some files is there."""
        tool = process.find_tool(DEBUGFS.name, package=DEBUGFS.package, needed_for=DEBUGFS.needed_for)
        looks = [
            process.call(
                [tool, "-R", f"stat {name}", f"{self.disk}?offset={self.offset}"],
                cancellation=run.cancellation,
                error=PostProcessError,
                label=f"looking for {name} on {self.disk.name}",
            )
            for name in names
        ]
        return any(b"Inode:" in look.stdout for look in looks)

    def read(self, run: Run, names: tuple[str, ...]) -> str | None:
        """The first of some files that is there, as text."""
        tool = process.find_tool(DEBUGFS.name, package=DEBUGFS.package, needed_for=DEBUGFS.needed_for)
        for name in names:
            # an argument of -R is read as words; these names are ours and plain
            answer = process.call(
                [tool, "-R", f"cat {name}", f"{self.disk}?offset={self.offset}"],
                cancellation=run.cancellation,
                error=PostProcessError,
                label=f"reading {name} from {self.disk.name}",
            )
            if answer.stdout:
                return answer.stdout.decode("utf-8", "replace")
        return None

    def copy(self, run: Run, wanted: Mapping[str, str], folder: Path) -> tuple[str, ...]:
        """Copy files in one go, however many.

        :param wanted: path on the file system → name in ``folder``; both without quotes and spaces.
        :returns: the names of those that were there, and are not empty.
        """
        tool = process.find_tool(DEBUGFS.name, package=DEBUGFS.package, needed_for=DEBUGFS.needed_for)
        process.call(
            [tool, "-f", "-", f"{self.disk.absolute()}?offset={self.offset}"],
            cancellation=run.cancellation,
            input="".join(f"dump {path} {name}\n" for path, name in wanted.items()).encode(),
            cwd=folder,
            error=PostProcessError,
            label=f"reading {len(wanted)} files from {self.disk.name}",
        )
        paths = {name: folder / name for name in wanted.values()}
        return tuple(name for name, path in paths.items() if path.is_file() and path.stat().st_size)


def file_systems(disk: Path) -> Iterator[FileSystem]:
    """Every ext2, ext3 and ext4 of a raw image, the whole disk included."""
    with disk.open("rb") as file:
        for offset in _places(file):
            if _at(file, offset + _EXT_MAGIC, 2) == b"\x53\xef":
                yield FileSystem(disk, offset)


def unread(disk: Path) -> tuple[str, ...]:
    """What there is on a raw image that cannot be read, by name."""
    with disk.open("rb") as file:
        found = [
            name
            for offset in _places(file)
            for place, mark, name in _OTHERS
            if _at(file, offset + place, len(mark)) == mark
        ]
    return tuple(dict.fromkeys(found))


def _places(file: BinaryIO) -> Iterable[int]:
    """Where something may begin: the disk itself, and its partitions."""
    return dict.fromkeys((0, *_gpt(file), *_mbr(file)))


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Bytes at a place; none when the table that named it is nonsense."""
    if offset > os.fstat(file.fileno()).st_size:
        return b""
    file.seek(offset)
    return file.read(size)


def _gpt(file: BinaryIO) -> Iterator[int]:
    """Layout after the UEFI specification, section 5.3."""
    header = _at(file, _SECTOR, 92)
    if header[:8] != b"EFI PART":
        return
    table, count, size = struct.unpack_from("<QII", header, 72)
    for number in range(min(count, 1024)):
        entry = _at(file, table * _SECTOR + number * size, 48)
        if len(entry) == 48 and any(entry[:16]):
            yield int.from_bytes(entry[32:40], "little") * _SECTOR


def _mbr(file: BinaryIO, start: int = 0, first: int = 0, depth: int = 0) -> Iterator[int]:
    """Primary partitions, and logical ones along their chain.

    :param start: the sector of this table.
    :param first: the sector of the extended partition, from which its chain is counted.
    """
    block = _at(file, start * _SECTOR, _SECTOR)
    if block[510:] != b"\x55\xaa" or depth > 64:
        return
    for number in range(4):
        entry = block[446 + 16 * number :][:16]
        kind, sector = entry[4], int.from_bytes(entry[8:12], "little")
        if kind in _LINKED_LISTS:
            yield from _mbr(file, first + sector, first or sector, depth + 1)
        elif kind:
            yield (start + sector) * _SECTOR
