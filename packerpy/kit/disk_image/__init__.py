"""Partitioned disks made without mounting anything and without loop devices."""

from packerpy.kit.disk_image.boot_sector import place_grub
from packerpy.kit.disk_image.ext4 import Ext4, make_ext4
from packerpy.kit.disk_image.fat import make_fat
from packerpy.kit.disk_image.gpt import BIOS_BOOT, ESP, LINUX_ROOT, SECTOR, Partition, write_gpt

__all__ = [
    "BIOS_BOOT",
    "ESP",
    "LINUX_ROOT",
    "SECTOR",
    "Ext4",
    "Partition",
    "make_ext4",
    "make_fat",
    "place_grub",
    "write_gpt",
]
