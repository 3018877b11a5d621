"""The disk: a partition table, GRUB for BIOS, an EFI system partition, the root."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid5

import attrs

from packerpy.backends.bootstrap.grub import Grub
from packerpy.contracts import Run
from packerpy.kit import disk_image
from packerpy.kit.disk_image import SECTOR, Ext4, Partition

_MIB = 1 << 20

_ALIGNED = _MIB // SECTOR
"""Partitions begin at whole MiB, which suits all disks."""

_ESP_SIZE = 8 * _MIB
"""The UEFI boot loader has 0.7 MB; what else firmware and updates put there is small."""


@attrs.frozen(kw_only=True)
class Layout:
    """Where everything is on the disk.

    :ivar size: of the disk, in bytes.
    :ivar root_id: of the root file system; the other UUIDs follow from it.
    """

    size: int
    root_id: UUID

    @property
    def bios(self) -> Partition:
        """GRUB's core for BIOS."""
        return self._partition("bios", 1, 1, disk_image.BIOS_BOOT)

    @property
    def esp(self) -> Partition:
        """The EFI system partition."""
        return self._partition("esp", 2, _ESP_SIZE // _MIB, disk_image.ESP)

    @property
    def root(self) -> Partition:
        """The rest; the last one, so that it can grow."""
        start = 2 + _ESP_SIZE // _MIB
        return self._partition("root", start, self.size // _MIB - start - 1, disk_image.LINUX_ROOT["x86_64"])

    @property
    def disk_id(self) -> UUID:
        """Of the table."""
        return uuid5(self.root_id, "disk")

    @property
    def esp_serial(self) -> int:
        """Of the FAT file system."""
        return uuid5(self.root_id, "esp-serial").int & 0xFFFFFFFF

    def _partition(self, name: str, start: int, length: int, kind: UUID) -> Partition:
        identity = uuid5(self.root_id, name)
        return Partition(start=start * _ALIGNED, sectors=length * _ALIGNED, type=kind, id=identity, name=name)


def write_disk(run: Run, layout: Layout, tree: Path, grub: Grub, target: Path, epoch: int | None) -> None:
    """Write the whole disk as the new, sparse raw file ``target``.

    :param epoch: seconds since 1970 that times are set to; now by default.
    :raises packerpy.errors.SourceError: the tree does not fit.
    """
    esp = target.with_suffix(".esp")
    try:
        with target.open("xb") as file:
            file.truncate(layout.size)
        root = Ext4(offset=layout.root.offset, size=layout.root.size, id=layout.root_id, epoch=epoch)
        disk_image.make_ext4(root, tree, target, cancellation=run.cancellation)
        disk_image.make_fat(
            esp,
            layout.esp.size,
            {"EFI/BOOT/BOOTX64.EFI": grub.efi},
            label="ESP",
            serial=layout.esp_serial,
            epoch=epoch,
            cancellation=run.cancellation,
        )
        with target.open("r+b") as file:
            file.seek(layout.esp.offset)
            file.write(esp.read_bytes())
    finally:
        esp.unlink(missing_ok=True)
    disk_image.write_gpt(target, layout.size, layout.disk_id, [layout.bios, layout.esp, layout.root])
    disk_image.place_grub(target, layout.bios, grub.boot.read_bytes(), grub.core.read_bytes())
