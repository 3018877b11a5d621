"""The partition table of UEFI (GPT), written into a file. Layout after the UEFI specification, section 5."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import attrs

from packerpy.errors import DeclarationError

SECTOR = 512
"""Bytes; the only sector size that is written."""

BIOS_BOOT = UUID("21686148-6449-6e6f-744e-656564454649")
"""Type of the partition in which GRUB keeps its core for BIOS machines."""

ESP = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
"""Type of the EFI system partition."""

LINUX_ROOT = {"x86_64": UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")}
"""Type of a root file system, by architecture (Discoverable Partitions Specification)."""

_ENTRIES = 128
_ENTRY_SIZE = 128
_TABLE_SECTORS = _ENTRIES * _ENTRY_SIZE // SECTOR
FIRST_USABLE = 2 + _TABLE_SECTORS
"""The first sector after the protective MBR, the header and the table."""


@attrs.frozen(kw_only=True)
class Partition:
    """One entry of the table.

    :ivar start: first sector.
    :ivar sectors: length.
    :ivar type: what it is for.
    :ivar id: its own UUID.
    :ivar name: label, at most 36 characters.
    """

    start: int
    sectors: int
    type: UUID
    id: UUID
    name: str

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.start * SECTOR

    @property
    def size(self) -> int:
        """How long it is, in bytes."""
        return self.sectors * SECTOR

    def packed(self) -> bytes:
        """The entry as it stands in the table."""
        last = self.start + self.sectors - 1
        label = self.name.encode("utf-16-le").ljust(72, b"\0")
        return self.type.bytes_le + self.id.bytes_le + struct.pack("<QQQ", self.start, last, 0) + label


def last_usable(size: int) -> int:
    """The last sector that a partition may use on a disk of ``size`` bytes."""
    return size // SECTOR - _TABLE_SECTORS - 2


def write_gpt(disk: Path, size: int, disk_id: UUID, partitions: Sequence[Partition]) -> None:
    """Write the table, its backup at the end and the protective MBR into ``disk``, which gets ``size`` bytes.

    :param size: bytes, a multiple of the sector size.
    :raises DeclarationError: a partition is out of bounds or overlaps another one.
    """
    _check(size, partitions)
    table = b"".join(part.packed() for part in partitions).ljust(_ENTRIES * _ENTRY_SIZE, b"\0")
    sectors = size // SECTOR
    with disk.open("r+b" if disk.exists() else "w+b") as file:
        file.truncate(size)
        _write(file, 0, _protective_mbr(sectors))
        _write(file, 1, _header(1, sectors - 1, 2, size, disk_id, table))
        _write(file, 2, table)
        _write(file, sectors - 1 - _TABLE_SECTORS, table)
        _write(file, sectors - 1, _header(sectors - 1, 1, sectors - 1 - _TABLE_SECTORS, size, disk_id, table))


def _write(file: BinaryIO, sector: int, data: bytes) -> None:
    file.seek(sector * SECTOR)
    file.write(data)


def _check(size: int, partitions: Sequence[Partition]) -> None:
    free = FIRST_USABLE
    if size % SECTOR:
        raise DeclarationError(f"a disk of {size} bytes does not end at a sector")
    for part in sorted(partitions, key=lambda part: part.start):
        if part.start < free or part.sectors < 1 or part.start + part.sectors - 1 > last_usable(size):
            raise DeclarationError(f"partition {part.name!r} does not fit on the disk, or overlaps another one")
        if len(part.name) > 36:
            raise DeclarationError(f"partition name {part.name!r} is longer than 36 characters")
        free = part.start + part.sectors


def _protective_mbr(sectors: int) -> bytes:
    """One partition of type 0xEE over the whole disk, so that old tools keep their hands off."""
    entry = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def _header(here: int, other: int, table_at: int, size: int, disk_id: UUID, table: bytes) -> bytes:
    def pack(checksum: int) -> bytes:
        fields = (b"EFI PART", 0x10000, 92, checksum, 0, here, other, FIRST_USABLE, last_usable(size), disk_id.bytes_le)
        tail = (table_at, _ENTRIES, _ENTRY_SIZE, zlib.crc32(table))
        return struct.pack("<8sIIIIQQQQ16sQIII", *fields, *tail)

    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")
