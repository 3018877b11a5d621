"""ISO 9660 images with long names."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_LABEL = 16
"""Characters of a volume's name that every reader shows: Joliet holds no more."""


def write_iso(target: Path, files: Mapping[str, bytes | Path], *, label: str) -> Path:
    """Write ``files`` as an ISO 9660 image with Rock Ridge and Joliet names, mode 0600.

    :param files: name in the image, with ``/`` between folders → its content, or the file that holds it.
    """
    import pycdlib

    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=label)
    try:
        short: dict[str, str] = {"": ""}
        for number, (name, content) in enumerate(sorted(files.items())):
            folder, _, base = name.rpartition("/")
            _add_folders(iso, folder, short)
            place: dict[str, Any] = {"rr_name": base, "joliet_path": f"/{name}", "file_mode": 0o100644}
            path = f"{short[folder]}/F{number}.;1"
            if isinstance(content, Path):
                iso.add_file(str(content), path, **place)
            else:
                iso.add_fp(io.BytesIO(content), len(content), path, **place)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            iso.write_fp(file)
    finally:
        iso.close()
    return target


def _add_folders(iso: Any, folder: str, short: dict[str, str]) -> None:
    """Make a folder and those above it; ``short`` holds the plain ISO 9660 name of each that is there."""
    if folder in short:
        return
    above, _, base = folder.rpartition("/")
    _add_folders(iso, above, short)
    short[folder] = f"{short[above]}/D{len(short)}"
    iso.add_directory(short[folder], rr_name=base, joliet_path=f"/{folder}", file_mode=0o040755)
