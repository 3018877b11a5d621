"""The bytes to compress, cut into blocks; what is known to be zero is not read."""

from __future__ import annotations

import errno
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from packerpy.errors import PostProcessError

_READ = 2**20

Piece = bytes | int
"""Bytes, or the length of a run of zeros."""


@lru_cache(maxsize=2)
def zeros(length: int) -> bytes:
    """So many zeros; the same object each time, so that a block of zeros can be told by its identity."""
    return bytes(length)


def file_pieces(path: Path) -> Iterator[Piece]:
    """The content of a file; its holes, as the file system knows them, come as numbers.

    :raises PostProcessError: it cannot be read, or shrank meanwhile.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            size, position = os.fstat(stream.fileno()).st_size, 0
            while position < size:
                start, end = _next_data(stream.fileno(), position, size)
                if start > position:
                    yield start - position
                stream.seek(start)
                while start < end:
                    data = stream.read(min(_READ, end - start))
                    if not data:
                        raise PostProcessError(f"{path} became shorter while it was read")
                    yield data
                    start += len(data)
                position = end
    except OSError as error:
        raise PostProcessError(f"cannot read {path}", details=error.strerror) from error


def _next_data(descriptor: int, position: int, size: int) -> tuple[int, int]:
    try:
        start = os.lseek(descriptor, position, os.SEEK_DATA)
        return start, min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size, size  # nothing but a hole from here on
        if error.errno in (errno.EINVAL, errno.ENOTSUP):
            return position, size  # this file system does not tell
        raise


def tar_pieces(files: Sequence[Path]) -> Iterator[Piece]:
    """A tar archive of files, under their bare names, without times and owners."""
    for path in files:
        info = tarfile.TarInfo(path.name)
        info.size, info.mode = path.stat().st_size, 0o644
        yield info.tobuf(format=tarfile.GNU_FORMAT)
        yield from file_pieces(path)
        yield -info.size % tarfile.BLOCKSIZE
    yield 2 * tarfile.BLOCKSIZE


def blocks(pieces: Iterable[Piece], size: int) -> Iterator[bytes]:
    """Cut into blocks of ``size`` bytes, the last one shorter; blocks of zeros are the object of :func:`zeros`."""
    empty, block = zeros(size), bytearray()
    for piece in pieces:
        at, length = 0, piece if isinstance(piece, int) else len(piece)
        while at < length:
            take = min(length - at, size - len(block))
            at += take
            if isinstance(piece, int):
                if take == size:
                    yield empty
                    continue
                block += empty[:take]
            else:
                block += memoryview(piece)[at - take : at]
            if len(block) == size:
                yield empty if block == empty else bytes(block)
                block = bytearray()
    if block:
        yield bytes(block)
