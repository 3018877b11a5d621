"""Blocks into snapshots of several regions at once."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from heapq import merge
from itertools import groupby
from typing import Any, Self

import attrs

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.direct.blocks import Block, zero_block
from packerpy.backends.amazon.direct.digests import Digests, Marks
from packerpy.backends.amazon.direct.log import UploadLog
from packerpy.contracts import Run


@attrs.frozen(eq=False)
class Target:
    """One snapshot that is being filled.

    :ivar at: Amazon in its region.
    :ivar snapshot: its id.
    :ivar log: what was put so far.
    :ivar parent: digests of the blocks that it inherits.
    """

    at: Cloud
    snapshot: str
    log: UploadLog
    parent: Digests | None = None

    def lacks(self, block: Block) -> bool:
        """Whether the block must be put: what was put last counts, else what is inherited."""
        inherited = None if self.parent is None else self.parent.get(block.index)
        return (self.log.done.get(block.index) or inherited) != block.digest

    def leftovers(self, seen: Marks) -> Iterator[Block]:
        """Zeros over what was put or inherited and is zeros on the disk now."""
        inherited = iter(()) if self.parent is None else self.parent.indexes()
        for index, _ in groupby(merge(self.log.done.indexes(), inherited)):
            if index not in seen and self.lacks(block := zero_block(index)):
                yield block

    def put(self, block: Block) -> None:
        """Send one block."""
        self.at.call(
            "ebs.PutSnapshotBlock",
            SnapshotId=self.snapshot,
            BlockIndex=block.index,
            BlockData=block.data,
            DataLength=len(block.data),
            Checksum=base64.b64encode(block.digest).decode(),
            ChecksumAlgorithm="SHA256",
        )
        self.log.put(block.index, block.digest)

    def complete(self) -> None:
        """Say that all is there: how many blocks, and the checksum of their checksums in order."""
        count, total = 0, hashlib.sha256()
        for _, digest in self.log.done.pairs():
            count += 1
            total.update(digest)
        self.at.call(
            "ebs.CompleteSnapshot",
            SnapshotId=self.snapshot,
            ChangedBlocksCount=count,
            Checksum=base64.b64encode(total.digest()).decode(),
            ChecksumAlgorithm="SHA256",
            ChecksumAggregationMethod="LINEAR",
        )


class Pool:
    """A few threads and a bounded queue; the first failure stops everything.

    :param workers: threads; twice as many pieces of work are held at most.
    """

    def __init__(self, run: Run, workers: int) -> None:
        self._run = run
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="packerpy-blocks")
        self._room = threading.Semaphore(2 * workers)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            self._check()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Wait for room, and hand it to a thread.

        :raises Exception: what earlier work raised.
        """
        while not self._room.acquire(timeout=0.2):
            self._check()
        self._check()
        self._threads.submit(work, *arguments).add_done_callback(self._done)

    def _check(self) -> None:
        self._run.cancellation.check()
        if self._failure is not None:
            raise self._failure

    def _done(self, future: Future[Any]) -> None:
        self._room.release()
        if not future.cancelled() and (error := future.exception()) is not None and self._failure is None:
            self._failure = error


def upload(run: Run, disk: Iterable[Block], targets: Iterable[Target], *, workers: int, total: int) -> int:
    """Put every block into every target that lacks it; answers how many were put.

    :param total: blocks of the disk, for the progress.
    """
    wanted = tuple(targets)
    seen = Marks()
    put = 0
    with Pool(run, workers) as pool:
        for number, block in enumerate(disk):
            seen.add(block.index)
            put += _hand_out(pool, block, wanted)
            if not number % 64:
                run.progress(block.index, total, "blocks")
        for target in wanted:
            for block in target.leftovers(seen):
                put += _hand_out(pool, block, (target,))
    run.progress(total, total, "blocks")
    return put


def _hand_out(pool: Pool, block: Block, targets: tuple[Target, ...]) -> int:
    lacking = [target for target in targets if target.lacks(block)]
    for target in lacking:
        pool.submit(target.put, block)
    return len(lacking)
