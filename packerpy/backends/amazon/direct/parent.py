"""What is in a snapshot that an upload stands on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.direct.digests import Digests
from packerpy.backends.amazon.direct.log import recall
from packerpy.backends.amazon.direct.upload import Pool


def digests(at: Cloud, snapshot: str, folder: Path, workers: int) -> Digests:
    """Index → digest of its blocks: as they were kept when it was put from here, else by reading all of it."""
    known = recall(folder, snapshot)
    if known is not None:
        return known
    at.run.say(f"reading {snapshot} in {at.region}, to know what has changed since")
    found = Digests.new(at.run.workdir / f"blocks of {snapshot}")

    def read(index: int, token: str) -> None:
        answer = at.call("ebs.GetSnapshotBlock", SnapshotId=snapshot, BlockIndex=index, BlockToken=token)
        found.put(index, hashlib.sha256(answer["BlockData"].read()).digest())

    with Pool(at.run, workers) as pool:
        for block in blocks_of(at, snapshot):
            pool.submit(read, *block)
    return found


def blocks_of(at: Cloud, snapshot: str) -> Iterator[tuple[int, str]]:
    """Index and token of every block that a snapshot holds."""
    more: dict[str, str] = {}
    while True:
        answer = at.call("ebs.ListSnapshotBlocks", SnapshotId=snapshot, **more)
        yield from ((int(block["BlockIndex"]), str(block["BlockToken"])) for block in answer.get("Blocks", ()))
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}
