"""A guest's memory between the file in memory that QEMU maps and a file on a disk.

Only what is not zero is written, so that free memory takes no room. The file on the disk has holes in the other places
and is as long as the memory, so that it can be mapped as it is.

The first write to a place of a new file costs far more than to read it again: 1.2 s of processor time a GiB against
0.3 s (ext4, Linux 6). So memory is copied while the guest runs (:func:`write`), and while it stands still only compared
with the copy, and corrected where it has changed (:func:`correct`).
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

_CHUNK = 1 << 20
"""Bytes read at a time; small enough to stay in the processor's cache."""

_GRAIN = 64 << 10
"""Bytes that are compared, and written or left out, as one; memories are multiples of it."""

Extents = tuple[tuple[int, int], ...]
"""Offset and length of each stretch that is not zero."""

Check = Callable[[], None]
"""Called now and then, to raise when cancelled."""


@attrs.frozen(kw_only=True)
class Ram:
    """What was written.

    :ivar size: of the memory, in bytes.
    :ivar extents: offset and length of each stretch that is not zero.
    :ivar crc: over these, in order.
    """

    size: int
    extents: tuple[tuple[int, int], ...]
    crc: int


def write(memory: int, target: Path, *, check: Check) -> Extents:
    """Copy an open memory file into a new file; answers what was written.

    :raises OSError: the file system is full.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    os.truncate(target, os.fstat(memory).st_size)
    return correct(memory, target, (), check=check)


def correct(memory: int, target: Path, extents: Extents, *, check: Check) -> Extents:
    """Bring a file up to date that is a copy of memory in ``extents`` and zero elsewhere; answers the new ones.

    :raises OSError: the file system is full.
    """
    size = os.fstat(memory).st_size
    known = set(_grains(extents))
    used: list[tuple[int, int]] = []
    with target.open("r+b", buffering=0) as file, _mapped(memory) as now, _mapped(file.fileno()) as then:
        empty = ctypes.create_string_buffer(_GRAIN)
        for place in sorted(known | set(_grains(_written(memory, size)))):
            check()
            length = min(_GRAIN, size - place)
            zero = _same(now.address + place, ctypes.addressof(empty), length)
            old = then.address + place if place in known else ctypes.addressof(empty)
            if not zero:
                _append(used, place, length)
            if not _same(now.address + place, old, length):
                with now.view[place : place + length] as piece:
                    _write_all(file.fileno(), piece, place)
    return tuple(used)


def finish(target: Path, extents: Extents, *, check: Check) -> Ram:
    """Compute the checksum of what was written, and wait until the disk has it."""
    with target.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        crc = _crc(file.fileno(), extents, None, check)
        os.fsync(file.fileno())
    if crc is None:
        raise OSError(f"{target} could not be read back")
    return Ram(size=size, extents=extents, crc=crc)


def read(source: Path, ram: Ram, memory: int | None, *, check: Check) -> str | None:
    """Copy a file into a fresh memory file; answers what is wrong with it, or ``None``.

    :param memory: the open memory file; ``None`` only looks.
    """
    with source.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != ram.size:
            return f"{source.name} has not the size that it was saved with"
        crc = _crc(file.fileno(), ram.extents, memory, check)
    if crc is None:
        return f"{source.name} ends early"
    return None if crc == ram.crc else f"the content of {source.name} has changed"


def _crc(file: int, extents: Extents, memory: int | None, check: Check) -> int | None:
    """The checksum of stretches of a file, copied into ``memory`` on the way; ``None``: it ends early."""
    from isal import isal_zlib

    crc = 0
    buffer = bytearray(_CHUNK)
    for offset, length in _pieces(extents):
        check()
        piece = memoryview(buffer)[:length]
        if os.preadv(file, [piece], offset) != length:
            return None
        crc = isal_zlib.crc32(piece, crc)
        if memory is not None:
            _write_all(memory, piece, offset)
    return crc


def _pieces(extents: Extents) -> Iterator[tuple[int, int]]:
    for offset, length in extents:
        for start in range(0, length, _CHUNK):
            yield offset + start, min(_CHUNK, length - start)


def _grains(extents: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Where the grains begin that these stretches touch."""
    for offset, length in extents:
        yield from range(offset - offset % _GRAIN, offset + length, _GRAIN)


def _written(memory: int, size: int) -> Iterator[tuple[int, int]]:
    """Offset and length of all that was ever written to a memory file."""
    end = 0
    while end < size:
        try:
            start = os.lseek(memory, end, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing more
            return
        end = os.lseek(memory, start, os.SEEK_HOLE)
        yield start, end - start


@attrs.frozen
class _Mapping:
    view: memoryview
    address: int


@contextmanager
def _mapped(descriptor: int) -> Iterator[_Mapping]:
    """A file in our own memory; mapped for writing too, as only then its address is told."""
    with ExitStack() as held:
        mapped = held.enter_context(mmap.mmap(descriptor, 0))
        view = held.enter_context(memoryview(mapped))
        first = ctypes.c_char.from_buffer(mapped)
        try:
            yield _Mapping(view, ctypes.addressof(first))
        finally:
            del first  # a mapping to which something points cannot be closed


_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


def _same(one: int, other: int, length: int) -> bool:
    """By address: Python itself compares parts of mapped files byte by byte, twenty times as slowly."""
    return bool(_memcmp(one, other, length) == 0)


def _append(extents: list[tuple[int, int]], offset: int, length: int) -> None:
    """Note a stretch, as a part of the last one when it follows on it."""
    if extents and sum(extents[-1]) == offset:
        extents[-1] = (extents[-1][0], extents[-1][1] + length)
    else:
        extents.append((offset, length))


def _write_all(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
