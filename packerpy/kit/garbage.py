"""Python's collector of garbage, put off while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Inside, no cycles are looked for: of ten thousand declarations that are all kept, looking takes half the time.

    It holds for all threads. What is garbage meanwhile is collected afterwards.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
