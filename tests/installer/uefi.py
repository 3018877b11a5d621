"""Disks and ISOs that boot GRUB by UEFI, for tests; the program is that of Debian's network installer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.installer.netboot import BOOKWORM

_MENU = "debian-installer/amd64/grub/grub.cfg"
"""Where that GRUB looks for its menu."""
_SERIAL = "serial --unit=0 --speed=115200\nterminal_input console serial\nterminal_output serial\n"


def grub_disk(target: Path, menu: str, *, size: int = 16 << 20, shim: bool = False) -> Path:
    """A FAT file system on a whole disk, with GRUB where firmware looks that knows nothing of the disk.

    :param menu: GRUB's commands.
    :param shim: GRUB, which Debian has signed, is started by a program that Microsoft has signed.
    """
    return _fat(target, size, {_MENU: _SERIAL + menu}, shim=shim)


def grub_iso(target: Path, menu: str, files: Mapping[str, Path]) -> Path:
    """An ISO with an EFI boot entry only.

    :param files: name in the ISO → what to copy there.
    """
    tree = target.with_suffix(".tree")
    (tree / _MENU).parent.mkdir(parents=True)
    (tree / _MENU).write_text(_SERIAL + menu)
    for name, path in files.items():
        shutil.copy(path, tree / name)
    _fat(tree / "efi.img", 8 << 20, {})
    boot = ["-e", "efi.img", "-no-emul-boot"]
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", "uefi", *boot, "-o", target, tree]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)
    return target


def _fat(target: Path, size: int, texts: Mapping[str, str], *, shim: bool = False) -> Path:
    subprocess.run(["mformat", "-C", "-T", str(size // 512), "-h", "16", "-s", "63", "-i", target, "::"], check=True)
    folders = {"EFI", "EFI/BOOT"} | {str(parent) for name in texts for parent in Path(name).parents} - {"."}
    for folder in sorted(folders):
        subprocess.run(["mmd", "-i", target, f"::/{folder}"], check=True)
    programs = {"BOOTX64.EFI": "bootnetx64.efi" if shim else "grubx64.efi"} | (
        {"GRUBX64.EFI": "grubx64.efi"} if shim else {}
    )
    for name, program in programs.items():
        subprocess.run(["mcopy", "-i", target, BOOKWORM / program, f"::/EFI/BOOT/{name}"], check=True)
    for name, text in texts.items():
        subprocess.run(["mcopy", "-i", target, "-", f"::/{name}"], input=text.encode(), check=True)
    return target
