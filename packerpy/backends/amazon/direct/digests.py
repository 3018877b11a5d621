"""Digests of blocks, in a file and not in memory: a disk of 64 TiB has 134 million of them."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_SIZE = 32
"""Bytes of SHA-256."""

_NONE = bytes(_SIZE)
"""No block has this digest."""

_AT_ONCE = 4096
"""Digests that are read at a time."""


class Digests:
    """Index → digest; each has its place in a sparse file. Safe for several threads, and what was put survives a crash.

    :param descriptor: of the open file, which is closed with this.
    :param start: bytes at the file's beginning that are not ours.
    """

    def __init__(self, descriptor: int, start: int = 0) -> None:
        self._descriptor, self._start = descriptor, start

    @classmethod
    def new(cls, path: Path) -> Self:
        """A new file, empty."""
        return cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))

    @classmethod
    def unnamed(cls, folder: Path, start: int = 0) -> Self:
        """A file that is gone when it is closed."""
        path = folder / f".{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        path.unlink()
        return cls(descriptor, start)

    @classmethod
    def open(cls, path: Path) -> Self:
        """One that is there, to be read.

        :raises FileNotFoundError: it is not.
        """
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def get(self, index: int) -> bytes | None:
        """Of one block, if it is known."""
        found = os.pread(self._descriptor, _SIZE, self._start + index * _SIZE)
        return found if len(found) == _SIZE and found != _NONE else None

    def put(self, index: int, digest: bytes) -> None:
        """Of one block."""
        os.pwrite(self._descriptor, digest, self._start + index * _SIZE)

    def pairs(self) -> Iterator[tuple[int, bytes]]:
        """All that are known, in order."""
        index = 0
        while (at := self._data_from(self._start + index * _SIZE)) is not None:
            index = max(index, (at - self._start) // _SIZE)
            found = os.pread(self._descriptor, _AT_ONCE * _SIZE, self._start + index * _SIZE)
            for place in range(0, len(found) - _SIZE + 1, _SIZE):
                digest = found[place : place + _SIZE]
                if digest != _NONE:
                    yield index + place // _SIZE, digest
            index += _AT_ONCE

    def indexes(self) -> Iterator[int]:
        """Of all that are known, in order."""
        return (index for index, _ in self.pairs())

    def count(self) -> int:
        """How many are known."""
        return sum(1 for _ in self.pairs())

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _data_from(self, offset: int) -> int | None:
        """Where the next part begins that is not a hole; ``None`` behind the last."""
        try:
            return max(offset, os.lseek(self._descriptor, offset, os.SEEK_DATA))
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise


class Marks:
    """A set of indexes, one bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, index: int) -> None:
        """Put one in."""
        byte = index >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(max(4096, byte + 1 - len(self._bits))))
        self._bits[byte] |= 1 << (index & 7)

    def __contains__(self, index: int) -> bool:
        byte = index >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (index & 7) & 1)
