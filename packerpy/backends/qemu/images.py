"""Disk image files, by way of ``qemu-img``."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.qemu.errors import DiskMissing, DiskUnreadable
from packerpy.contracts import Run
from packerpy.errors import OutputError, SourceError
from packerpy.kit import process
from packerpy.kit.publish import full, writing

_PROGRESS = re.compile(r"\((\d+\.\d+)/100%\)")


@attrs.frozen(kw_only=True)
class ImageInfo:
    """What ``qemu-img info`` tells.

    :ivar format: such as ``qcow2``.
    :ivar virtual_size: bytes that a guest sees.
    :ivar actual_size: bytes that it takes on the host.
    :ivar backing: the file that it stands on.
    """

    format: str
    virtual_size: int
    actual_size: int
    backing: str | None = None


def qemu_img() -> str:
    """The program.

    :raises packerpy.errors.PluginError: it is not installed.
    """
    return process.find_tool("qemu-img", package="qemu-utils", needed_for="disks of machines in QEMU")


def info(run: Run, path: Path, *, form: str | None = None) -> ImageInfo:
    """Look at an image.

    :param form: its format when that is known, so that it is not guessed from the content.
    :raises DiskMissing: there is no such file.
    :raises DiskUnreadable: it is no image.
    """
    if not path.is_file():
        raise DiskMissing(path)
    guess = ["-f", form] if form else []
    try:
        # -U: a base image may be open in another guest at this moment.
        output = process.call(
            [qemu_img(), "info", "-U", "--output=json", *guess, path], cancellation=run.cancellation, error=SourceError
        )
    except SourceError as error:
        raise DiskUnreadable(path, error.details or "") from error
    told: dict[str, Any] = json.loads(output.stdout)
    return ImageInfo(
        format=str(told["format"]),
        virtual_size=int(told["virtual-size"]),
        actual_size=int(told.get("actual-size", 0)),
        backing=told.get("backing-filename"),
    )


def create(
    run: Run, path: Path, *, backing: Path | None = None, backing_format: str = "qcow2", size: int | None = None
) -> None:
    """Make a qcow2, empty or on top of ``backing``, which is looked at only where no ``size`` is given.

    :raises OutputError: the file system is full.
    :raises SourceError: it cannot be made.
    """
    base: list[str | Path] = []
    if backing is not None:
        name = backing.name if backing.parent == path.parent else backing.resolve()
        base = ["-b", name, "-F", backing_format, *(["-u"] if size is not None else [])]
    words: list[str | Path] = [
        qemu_img(),
        "create",
        "-q",
        "-f",
        "qcow2",
        *base,
        path,
        *([str(size)] if size is not None else []),
    ]
    with _full_disk_told(path.parent):
        process.call(words, cancellation=run.cancellation, error=SourceError, label="qemu-img create")


def flatten(run: Run, source: Path, target: Path, *, form: str, compression: str | None) -> None:
    """Copy an overlay with all that it stands on into one new file; the target appears only when it is complete.

    :param form: ``qcow2`` or ``raw``.
    :param compression: ``zstd`` or ``zlib`` for a qcow2, or ``None``.
    :raises OutputError: the file system is full; nothing is left.
    """
    # Requests may be written in any order: the order only makes compressed files and streams a little tidier.
    words: list[str | Path] = [qemu_img(), "convert", "-p", "-m", "16", "-O", form]
    if form == "raw" or compression is None:
        words.append("-W")
    if compression is not None:
        words += ["-c", "-o", f"compression_type={compression}"]

    def tell(stream: str, text: str) -> None:
        found = _PROGRESS.findall(text) if stream == "stdout" else []
        if found:
            run.progress(float(found[-1]), 100.0, "%")

    with writing(target) as partial, _full_disk_told(target.parent):
        process.call(
            [*words, "-f", "qcow2", source, partial],
            cancellation=run.cancellation,
            sink=tell,
            error=SourceError,
            label="qemu-img convert",
        )
        # The emulator keeps its files private; an artifact has the user's usual mode.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)


def consolidate(run: Run, source: Path, target: Path, *, backing: Path | None, form: str) -> None:
    """Copy what stands in a chain of overlays above ``backing`` into one new overlay.

    :param form: the format of ``backing``.
    :raises OutputError: the file system is full.
    """
    base: list[str | Path] = ["-B", backing, "-F", form] if backing is not None else []
    words: list[str | Path] = [qemu_img(), "convert", "-U", "-f", "qcow2", "-O", "qcow2", *base, source, target]
    with _full_disk_told(target.parent):
        process.call(words, cancellation=run.cancellation, error=SourceError, label="qemu-img convert")


def copy(run: Run, source: Path, target: Path) -> None:
    """Copy a file with its holes, by sharing its blocks where the file system can.

    :raises OutputError: the file system is full.
    """
    with _full_disk_told(target.parent):
        process.call(
            ["cp", "--reflink=auto", "--sparse=always", source, target],
            cancellation=run.cancellation,
            error=SourceError,
            label="cp",
        )


class _full_disk_told:  # noqa: N801  reads as a with-statement
    """Turns qemu-img's "No space left on device" into the error that every full disk gives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        said = (error.details or "") if isinstance(error, SourceError) and not isinstance(error, OutputError) else ""
        if "No space left on device" in said or "Disk quota exceeded" in said:
            raise full(self._folder) from error
