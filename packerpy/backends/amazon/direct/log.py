"""What was put into a snapshot, written down block by block, so that an upload whose process died can go on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from packerpy.backends.amazon.direct.digests import Digests
from packerpy.kit.publish import writing

_HEADER = 64
"""Bytes at the beginning, in which the snapshot's id stands."""

_SNAPSHOT = re.compile(rb"(snap-[0-9a-z-]+)\0+")


class UploadLog:
    """One upload's file; while it is open nobody else can have it.

    :param folder: of all such files.
    :param what: tells one upload from others: region, name, size, parent, ….
    """

    def __init__(self, folder: Path, what: Mapping[str, str]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(json.dumps(dict(what), sort_keys=True).encode()).hexdigest()[:32]
        self._path = folder / name
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.mine = self._take()
        self.done = Digests(self._descriptor, _HEADER) if self.mine else Digests.unnamed(folder)
        found = _SNAPSHOT.fullmatch(os.pread(self._descriptor, _HEADER, 0)) if self.mine else None
        self.snapshot = found[1].decode() if found else ""

    def _take(self) -> bool:
        """Another build that lives may be at the same upload; then this one does without a file that lasts."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def begin(self, snapshot: str) -> None:
        """A new snapshot; what was done before counts no more."""
        self.snapshot = snapshot
        if self.mine:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, snapshot.encode().ljust(_HEADER, b"\0"), 0)

    def put(self, index: int, digest: bytes) -> None:
        """A block is there; called from all threads."""
        self.done.put(index, digest)

    def end(self) -> None:
        """The snapshot is complete, or gone."""
        if self.mine:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it."""
        self.done.close()
        if not self.mine:
            os.close(self._descriptor)


def remember(folder: Path, snapshot: str, *layers: Digests) -> None:
    """Keep the digests of a finished snapshot's blocks, for uploads that have it as their parent.

    :param layers: of its parent, and what was put; later ones go over earlier ones.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with writing(folder / snapshot) as path:
        kept = Digests.new(path)
        for layer in layers:
            for index, digest in layer.pairs():
                kept.put(index, digest)
        kept.close()


def recall(folder: Path, snapshot: str) -> Digests | None:
    """Those digests, when they were kept here."""
    try:
        return Digests.open(folder / snapshot)
    except FileNotFoundError:
        return None
