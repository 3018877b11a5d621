"""GRUB for BIOS machines, put in place by hand: ``grub-install`` wants a block device, and we have a file.

The boot sector (``boot.img``) loads one sector, the first of ``core.img``; that one (``diskboot.img``) loads the rest
by a list of blocks at its end. Both places are told here. Offsets are those of GRUB 2's ``boot.h``
(``GRUB_BOOT_MACHINE_KERNEL_SECTOR``, ``GRUB_BOOT_MACHINE_LIST_SIZE``).
"""

from __future__ import annotations

import struct
from pathlib import Path

from packerpy.errors import SourceError
from packerpy.kit.disk_image.gpt import SECTOR, Partition

_CODE = 440
"""Bytes of the boot sector that are code; the disk's signature and the partition table follow."""

_KERNEL_SECTOR = 0x5C
_BLOCK_LIST = SECTOR - 12
_LOAD_SEGMENT = 0x820
"""Where the second sector of the core is loaded: right behind the first, which lies at 0x8000."""


def place_grub(disk: Path, partition: Partition, boot: bytes, core: bytes) -> None:
    """Write GRUB's boot sector and its core into a disk with a BIOS boot partition.

    :param boot: content of ``boot.img``.
    :param core: what ``grub-mkimage -O i386-pc`` made.
    :raises SourceError: the core does not fit into the partition.
    """
    if len(core) > partition.size:
        raise SourceError(f"GRUB's core has {len(core)} bytes and does not fit into partition {partition.name!r}")
    sector, image = bytearray(boot), bytearray(core)
    struct.pack_into("<Q", sector, _KERNEL_SECTOR, partition.start)
    rest = -(-len(core) // SECTOR) - 1
    struct.pack_into("<QHH", image, _BLOCK_LIST, partition.start + 1, rest, _LOAD_SEGMENT)
    with disk.open("r+b") as file:
        file.write(sector[:_CODE])
        file.seek(partition.offset)
        file.write(image)
