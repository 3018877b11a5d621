"""What is uploaded, on this side."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from packerpy.errors import CommunicatorError


def opened(source: Path) -> IO[bytes]:
    """A file to be uploaded.

    :raises CommunicatorError: it cannot be read.
    """
    try:
        return source.open("rb")
    except OSError as error:
        raise CommunicatorError(f"cannot upload {source}", details=error.strerror) from error


def must_be_folder(source: Path) -> None:
    """Of a tree to be uploaded.

    :raises CommunicatorError: it is none.
    """
    if not source.is_dir():
        raise CommunicatorError(f"cannot upload {source}", details="it is not a folder")
