"""A FAT file system with a few files in it, as firmware reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from packerpy.contracts import Cancellation
from packerpy.kit import process


def make_fat(
    target: Path,
    size: int,
    files: Mapping[str, Path],
    *,
    label: str,
    serial: int,
    epoch: int | None,
    cancellation: Cancellation | None = None,
) -> None:
    """Write a FAT file system of ``size`` bytes to the new file ``target``.

    :param files: name inside (``EFI/BOOT/BOOTX64.EFI``) → the file that goes there.
    :param label: at most 11 capital letters.
    :param serial: the volume's number, 32 bits.
    :param epoch: seconds since 1970 that all times are set to; now by default.
    """
    env = dict(os.environ)
    env["MTOOLS_SKIP_CHECK"] = "1"
    if epoch is not None:
        env |= {"SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC"}
    with target.open("xb") as file:
        file.truncate(size)
    mkfs = process.find_tool("mkfs.vfat", package="dosfstools", needed_for="the EFI system partition")
    argv: list[str | Path] = [mkfs, "--invariant", "-i", f"{serial & 0xFFFFFFFF:08X}", "-n", label, target]
    process.call(argv, cancellation=cancellation, env=env)
    folders = {parent for name in files for parent in PurePosixPath(name).parents if parent != PurePosixPath(".")}
    for folder in sorted(folders, key=lambda path: (len(path.parts), path)):
        _mtools("mmd", ["-i", target, f"::/{folder}"], env, cancellation)
    for name, source in sorted(files.items()):
        _mtools("mcopy", ["-i", target, source, f"::/{name}"], env, cancellation)


def _mtools(name: str, arguments: list[str | Path], env: Mapping[str, str], cancellation: Cancellation | None) -> None:
    tool = process.find_tool(name, package="mtools", needed_for="the EFI system partition")
    process.call([tool, *arguments], cancellation=cancellation, env=env)
