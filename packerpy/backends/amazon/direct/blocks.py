"""A raw disk as the blocks that EBS snapshots are made of."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

SIZE = 512 << 10
"""Bytes of a block; EBS knows no other size."""

GIB = 1 << 30

_ZEROS = bytes(SIZE)

ZERO = hashlib.sha256(_ZEROS).digest()
"""The digest of a block of zeros."""


@attrs.frozen
class Block:
    """One block.

    :ivar index: its place, counted from 0.
    :ivar data: all of it; the end of a disk is filled up with zeros.
    :ivar digest: SHA-256 of the data.
    """

    index: int
    data: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)


def size_in_gib(path: Path) -> int:
    """The size of a volume that holds the disk."""
    return max(1, -(-path.stat().st_size // GIB))


def count(path: Path) -> int:
    """Blocks of the disk, those of zeros too."""
    return -(-path.stat().st_size // SIZE)


def blocks(path: Path) -> Iterator[Block]:
    """All blocks but those of zeros, in order; holes of a sparse file are not even read."""
    with path.open("rb", buffering=0) as file:
        descriptor, end, index = file.fileno(), os.fstat(file.fileno()).st_size, 0
        while (start := _data_from(descriptor, index * SIZE, end)) is not None:
            index = start // SIZE
            data = _read(descriptor, index * SIZE)
            if data != _ZEROS:
                yield Block(index, data, hashlib.sha256(data).digest())
            index += 1


def zero_block(index: int) -> Block:
    """What overwrites a parent's block."""
    return Block(index, _ZEROS, ZERO)


def _data_from(descriptor: int, offset: int, end: int) -> int | None:
    """Where the next data begins at or after an offset; ``None`` behind the last."""
    if offset >= end:
        return None
    try:
        return max(offset, os.lseek(descriptor, offset, os.SEEK_DATA))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        if error.errno in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no holes
            return offset
        raise


def _read(descriptor: int, offset: int) -> bytes:
    parts: list[bytes] = []
    left = SIZE
    while left and (part := os.pread(descriptor, left, offset + SIZE - left)):
        parts.append(part)
        left -= len(part)
    data = b"".join(parts)
    return data if not left else data + bytes(left)
