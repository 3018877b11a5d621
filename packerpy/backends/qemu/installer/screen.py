"""Reading text from a guest's screen.

In VGA's text mode the characters stand in memory and are read exactly. A graphic screen is read by ``tesseract`` where
the host has it; without it a graphic screen has no text for us.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from packerpy.backends.qemu.guest import Guest
from packerpy.contracts import Cancellation
from packerpy.errors import BuildError
from packerpy.kit import process
from packerpy.kit.qmp import QmpError

_TEXT_MEMORY = 0xB8000
_TEXT_BYTES = 0x8000
"""All of the window: systems scroll by showing another part of it. What scrolled away may still be found there."""
_COLUMNS = 80
_TEXT_SIZES = frozenset({(720, 400), (640, 400), (720, 350)})
"""What QEMU draws 80 columns of text as."""
OCR = "tesseract"


def read(guest: Guest, cancellation: Cancellation) -> str:
    """The text on the screen, line by line; empty when there is none or it cannot be read.

    :raises packerpy.errors.CancelledError: the run was cancelled.
    """
    picture, memory = guest.folder / "screen.ppm", guest.folder / "screen.bin"
    try:
        guest.qmp.execute("screendump", filename=str(picture))
        if _size(picture) not in _TEXT_SIZES:
            return _recognised(picture, cancellation)
        guest.qmp.execute("pmemsave", val=_TEXT_MEMORY, size=_TEXT_BYTES, filename=str(memory))
        return text_of(memory.read_bytes())
    except (QmpError, OSError):
        return ""  # the machine is gone or has no such screen; whoever waits for it notices by other means
    finally:
        picture.unlink(missing_ok=True)
        memory.unlink(missing_ok=True)


def text_of(memory: bytes) -> str:
    """The characters of VGA's text memory, in which each is followed by its colour; blank lines are left out."""
    characters = memory[::2].replace(b"\0", b" ").decode("cp437")
    lines = (characters[start : start + _COLUMNS].rstrip() for start in range(0, len(characters), _COLUMNS))
    return "\n".join(line for line in lines if line)


def _size(picture: Path) -> tuple[int, int]:
    """Width and height, from the head of a PPM file (``P6 720 400 255``)."""
    with picture.open("rb") as stream:
        words = stream.read(64).split(maxsplit=3)
    return (int(words[1]), int(words[2])) if len(words) >= 3 else (0, 0)


def _recognised(picture: Path, cancellation: Cancellation) -> str:
    program = shutil.which(OCR)
    if program is None:
        return ""
    try:
        return process.call([program, picture, "stdout", "--psm", "6"], cancellation=cancellation).text
    except BuildError:
        return ""
