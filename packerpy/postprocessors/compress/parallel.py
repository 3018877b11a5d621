"""Work on blocks by all processors, results in order, no more in memory than needed, gone at once on a cancel."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from packerpy.errors import CancelledError
from packerpy.postprocessors.compress.stream import zeros

_SLICE = 2**18
"""Bytes between two looks at whether to stop."""

Encoder = Callable[[Iterable[bytes]], bytes]
"""Compresses one block, given in slices."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def encode_blocks(blocks: Iterable[bytes], encode: Encoder) -> Iterator[bytes]:
    """``encode`` of each block, in order; a whole block of zeros is encoded once."""
    stop = threading.Event()
    memory: dict[int, bytes] = {}
    queue: deque[tuple[int | None, Future[bytes] | bytes]] = deque()

    def finished() -> bytes:
        length, result = queue.popleft()
        made = result if isinstance(result, bytes) else result.result()
        if length is not None:
            memory[length] = made
        return made

    with ThreadPoolExecutor(processors(), thread_name_prefix="packerpy-compress") as pool:
        try:
            for block in blocks:
                length = len(block) if block is zeros(len(block)) else None
                known = memory.get(length) if length is not None else None
                queue.append((length, known if known is not None else pool.submit(encode, _slices(block, stop))))
                if len(queue) > 2 * processors():
                    yield finished()
            while queue:
                yield finished()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _slices(block: bytes, stop: threading.Event) -> Iterator[bytes]:
    for start in range(0, len(block), _SLICE):
        if stop.is_set():
            raise CancelledError("cancelled")
        yield block[start : start + _SLICE]
