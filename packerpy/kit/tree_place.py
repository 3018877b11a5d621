"""Where a downloaded folder goes."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unpacking(target: Path) -> Iterator[Path]:
    """Yield a folder to unpack into; a folder that did not exist appears when complete, one that did is filled.

    :raises OSError: it cannot be made.
    """
    if target.exists():
        yield target
        return
    place = target.parent / f".packerpy-{secrets.token_hex(8)}.part"
    try:
        place.mkdir(parents=True)
        yield place
        place.rename(target)
    finally:
        shutil.rmtree(place, ignore_errors=True)
