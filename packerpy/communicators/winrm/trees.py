"""Folders as zip archives, which Windows can read by itself."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from packerpy.errors import CommunicatorError


def pack(folder: Path, target: IO[bytes], *, say: Callable[[str], None]) -> None:
    """Pack a folder's contents.

    :param say: told about what is no file or folder.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() or path.is_dir():
                archive.write(path, name)
            else:
                say(f"not uploaded, because it is no file or folder: {path}")


def unpack(source: IO[bytes], folder: Path) -> None:
    """Unpack into a folder that is there.

    :raises CommunicatorError: the archive names a place outside of it.
    """
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename.replace("\\", "/"))  # as old versions of .NET write them
            if name.is_absolute() or ".." in name.parts or ":" in entry.filename:
                raise CommunicatorError(f"the archive names a place outside of its folder: {entry.filename!r}")
            path = folder.joinpath(*name.parts)
            if entry.is_dir() or entry.filename.endswith("\\"):
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as content, path.open("wb") as file:
                while data := content.read(1 << 18):
                    file.write(data)
