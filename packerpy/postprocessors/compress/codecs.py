"""How each format is made of independently compressed blocks.

- gzip: each block is deflated by itself and ended on a byte border without the mark of the last block, as RFC 1951
  allows, so that all together are one ordinary member, with one checksum over everything (RFC 1952).
- bzip2, xz: each block is a stream of its own; a file of several streams is what their formats call a file.
- bgzf: blocks of less than 64 KiB, each a gzip member that tells its own length (as in the SAM specification).
- zstd: its library has threads; one frame, so that every reader reads all of it.
- lz4: one processor is faster than most disks; one frame.

Where the blocks are cut depends on the content's length alone, never on the number of processors.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from packerpy.errors import PluginError
from packerpy.postprocessors.compress.parallel import encode_blocks, processors
from packerpy.postprocessors.compress.stream import Piece, blocks

_MIB = 2**20
_BGZF_BLOCK = 0xFF00
"""Bytes of content in a block, so that one that does not compress still fits into 64 KiB."""
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, no time, system unknown
DEFLATE_END = b"\x03\x00"
"""An empty last block."""

Codec = Callable[[Iterable[Piece], int], Generator[bytes, None, None]]
"""Compresses pieces at a level."""


def _encode_deflate(level: int, slices: Iterable[bytes]) -> bytes:
    """Levels up to ISA-L's highest are its own: four times as fast as zlib's usual level for a file 1 % larger."""
    from isal import isal_zlib

    library = isal_zlib if level <= isal_zlib.ISAL_BEST_COMPRESSION else zlib
    encoder = library.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    made = [encoder.compress(part) for part in slices]
    return b"".join((*made, encoder.flush(zlib.Z_FULL_FLUSH)))


def _encode_bzip2(level: int, slices: Iterable[bytes]) -> bytes:
    encoder = bz2.BZ2Compressor(level)
    made = [encoder.compress(part) for part in slices]
    return b"".join((*made, encoder.flush()))


def _encode_xz(level: int, slices: Iterable[bytes]) -> bytes:
    encoder = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC64, level)
    made = [encoder.compress(part) for part in slices]
    return b"".join((*made, encoder.flush()))


class Totals:
    """The checksum and length of what went by."""

    def __init__(self) -> None:
        self.crc = 0
        self.length = 0

    def watch(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Hand on ``parts``, counting."""
        for part in parts:
            self.crc = zlib.crc32(part, self.crc)
            self.length += len(part)
            yield part


def deflate(pieces: Iterable[Piece], level: int, totals: Totals) -> Generator[bytes, None, None]:
    """One raw deflate stream."""
    yield from encode_blocks(totals.watch(blocks(pieces, 2 * _MIB)), partial(_encode_deflate, level))
    yield DEFLATE_END


def gzip(pieces: Iterable[Piece], level: int) -> Generator[bytes, None, None]:
    """One gzip member."""
    totals = Totals()
    yield _GZIP_HEAD
    yield from deflate(pieces, level, totals)
    yield struct.pack("<II", totals.crc, totals.length % 2**32)


def bzip2(pieces: Iterable[Piece], level: int) -> Generator[bytes, None, None]:
    """Streams of about nine of bzip2's own blocks each."""
    yield from _streams(pieces, 9 * level * 100_000, partial(_encode_bzip2, level))


def xz(pieces: Iterable[Piece], level: int) -> Generator[bytes, None, None]:
    """Streams three times as long as the level's dictionary, as ``xz -T`` cuts its blocks."""
    dictionary = {0: 256 * 1024, 1: _MIB, 2: 2 * _MIB, 3: 4 * _MIB, 4: 4 * _MIB, 5: 8 * _MIB, 6: 8 * _MIB}.get(level)
    size = 3 * (dictionary or 2 ** (level - 7) * 16 * _MIB)
    yield from _streams(pieces, max(size, 4 * _MIB), partial(_encode_xz, level))


def _streams(pieces: Iterable[Piece], size: int, encode: Callable[[Iterable[bytes]], bytes]) -> Iterator[bytes]:
    empty = True
    for part in encode_blocks(blocks(pieces, size), encode):
        empty = False
        yield part
    if empty:
        yield encode(())


def zstd(pieces: Iterable[Piece], level: int) -> Generator[bytes, None, None]:
    """One frame with a checksum."""
    import zstandard

    # always several-threaded, also on one processor: the other mode makes a different file
    encoder = zstandard.ZstdCompressor(level=level, threads=processors(), write_checksum=True).compressobj()
    for block in blocks(pieces, _MIB):
        if part := encoder.compress(block):
            yield part
    yield encoder.flush()


def lz4(pieces: Iterable[Piece], level: int) -> Generator[bytes, None, None]:
    """One frame with a checksum.

    :raises PluginError: the library is not installed.
    """
    try:
        from lz4.frame import BLOCKSIZE_MAX4MB, LZ4FrameCompressor
    except ImportError as error:
        raise PluginError(
            "compressing to lz4 needs the library lz4, which is not installed",
            resolution="pip install 'packerpy[lz4]', or use zst",
        ) from error
    # the library counts levels from 0, the program from 1; from 3 on they agree
    own = level if level >= 3 else level - 1
    encoder = LZ4FrameCompressor(block_size=BLOCKSIZE_MAX4MB, compression_level=own, content_checksum=True)
    yield encoder.begin()
    for block in blocks(pieces, 4 * _MIB):
        yield encoder.compress(block)
    yield encoder.flush()


def bgzf(pieces: Iterable[Piece], level: int) -> Generator[bytes, None, None]:
    """Small gzip members, then the empty one that marks the end."""
    yield from encode_blocks(blocks(pieces, 32 * _BGZF_BLOCK), partial(_encode_bgzf, level))
    yield _bgzf_member(level, b"")


def _encode_bgzf(level: int, slices: Iterable[bytes]) -> bytes:
    content = b"".join(slices)
    starts = range(0, len(content), _BGZF_BLOCK)
    return b"".join(_bgzf_member(level, content[start : start + _BGZF_BLOCK]) for start in starts)


def _bgzf_member(level: int, content: bytes) -> bytes:
    encoder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = encoder.compress(content) + encoder.flush()
    head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff"
    extra = struct.pack("<H2sHH", 6, b"BC", 2, len(head) + 8 + len(packed) + 8 - 1)
    return head + extra + packed + struct.pack("<II", zlib.crc32(content), len(content))


def plain(pieces: Iterable[Piece], _level: int) -> Generator[bytes, None, None]:
    """As it is."""
    yield from blocks(pieces, _MIB)


CODECS: Mapping[str, Codec] = MappingProxyType(
    {"gz": gzip, "zst": zstd, "xz": xz, "bz2": bzip2, "lz4": lz4, "bgzf": bgzf, "": plain}
)
"""By packerpy's name, which is also the file's extension."""
