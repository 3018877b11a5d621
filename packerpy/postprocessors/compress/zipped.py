"""A zip archive whose members are deflated by all processors (which ``zipfile`` cannot do)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO

import attrs

from packerpy.postprocessors.compress.codecs import Totals, deflate
from packerpy.postprocessors.compress.stream import Piece, file_pieces

_VERSION = 45  # the first one with 64-bit sizes
_UTF8 = 0x800
_DEFLATED = 8
_DATE = (1 << 5) | 1  # 1980-01-01, the first day that the format knows
_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF
_UNIX_FILE = (3 << 8 | _VERSION, (0o100644 << 16))


@attrs.frozen
class _Member:
    name: bytes
    crc: int
    size: int
    packed: int
    offset: int

    def local(self) -> bytes:
        """The header before the data; its sizes stand in the 64-bit field."""
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.packed)
        head = (_VERSION, _UTF8, _DEFLATED, 0, _DATE, self.crc, _MAX32, _MAX32, len(self.name), len(extra))
        return b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", *head) + self.name + extra

    def central(self) -> bytes:
        """The entry in the directory at the end."""
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.packed, self.offset)
        made_by, attributes = _UNIX_FILE
        head = (made_by, _VERSION, _UTF8, _DEFLATED, 0, _DATE, self.crc, _MAX32, _MAX32, len(self.name), len(extra))
        tail = (0, 0, 0, attributes, _MAX32)
        return b"PK\x01\x02" + struct.pack("<HHHHHHIIIHH", *head) + struct.pack("<HHHII", *tail) + self.name + extra


def write_zip(
    stream: IO[bytes],
    files: Sequence[Path],
    level: int,
    watch: Callable[[Iterable[Piece]], Iterable[Piece]],
) -> None:
    """Write an archive of files, under their bare names, without times and owners.

    :param stream: a file that can be sought in.
    :param watch: hands on the pieces read, for progress.
    """
    members = [_write_member(stream, path, level, watch) for path in files]
    start = stream.tell()
    for member in members:
        stream.write(member.central())
    _write_end(stream, len(members), start)


def _write_member(
    stream: IO[bytes], path: Path, level: int, watch: Callable[[Iterable[Piece]], Iterable[Piece]]
) -> _Member:
    blank = _Member(path.name.encode(), 0, 0, 0, stream.tell())
    stream.write(blank.local())
    begin, totals = stream.tell(), Totals()
    with closing(deflate(watch(file_pieces(path)), level, totals)) as parts:
        for part in parts:
            stream.write(part)
    end = stream.tell()
    member = attrs.evolve(blank, crc=totals.crc, size=totals.length, packed=end - begin)
    stream.seek(blank.offset)
    stream.write(member.local())
    stream.seek(end)
    return member


def _write_end(stream: IO[bytes], count: int, start: int) -> None:
    end = stream.tell()
    size = end - start
    wide = (44, 3 << 8 | _VERSION, _VERSION, 0, 0, count, count, size, start)
    stream.write(b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", *wide))
    stream.write(b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1))
    few = min(count, _MAX16)
    stream.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, few, few, min(size, _MAX32), min(start, _MAX32), 0))
