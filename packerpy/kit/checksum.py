"""Digests of files: made in one pass, compared with what was promised."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import attrs

from packerpy.contracts import Cancellation
from packerpy.errors import BuildError, DeclarationError
from packerpy.kit.choices import suggestion

_LENGTHS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
ALGORITHMS = tuple(_LENGTHS.values())
"""The algorithms known here: those of Packer, which are those of the ``…sum`` programs."""

_CHUNK = 2**20
_ZEROS = bytes(_CHUNK)
_HEX = frozenset("0123456789abcdef")


@attrs.frozen
class Wanted:
    """A checksum that a file must have.

    :ivar algorithm: one of :data:`ALGORITHMS`.
    :ivar digest: in lower-case hexadecimal digits.
    """

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


def parse(text: str) -> Wanted:
    """Read ``sha256:1f…``, or bare digits whose number tells the algorithm.

    :raises DeclarationError: it is neither; says what was seen.
    """
    head, colon, tail = text.strip().lower().partition(":")
    digits = tail if colon else head
    algorithm = head if colon else _LENGTHS.get(len(digits), "")
    if colon and algorithm not in ALGORITHMS:
        raise DeclarationError(f"{head!r} is not a checksum algorithm", resolution=suggestion(head, ALGORITHMS))
    if _LENGTHS.get(len(digits)) != algorithm or not set(digits) <= _HEX:
        raise DeclarationError(
            "a checksum has an algorithm and its hexadecimal digits",
            details=f"seen: {text!r}, which has {len(digits)} characters after the algorithm",
            resolution="write `sha256:` and 64 digits; bare ones work too (md5 32, sha1 40, sha256 64, sha512 128)",
        )
    return Wanted(algorithm, digits)


def digest(path: Path, algorithm: str, cancellation: Cancellation | None = None) -> str:
    """The digest of a file in hexadecimal digits; a cancel is seen within a mebibyte.

    :raises BuildError: the file cannot be read.
    :raises packerpy.errors.CancelledError: the run was cancelled.
    """
    return digests(path, (algorithm,), cancellation)[algorithm]


def digests(
    path: Path,
    algorithms: Iterable[str],
    cancellation: Cancellation | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Mapping[str, str]:
    """Several digests of a file, which is read once; each algorithm has a thread of its own.

    :param progress: called with the number of bytes read so far.
    """
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    done = 0
    with _updater(list(hashes.values())) as update:
        for chunk in _chunks(path):
            if cancellation is not None:
                cancellation.check()
            update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done)
    return MappingProxyType({name: made.hexdigest() for name, made in hashes.items()})


def verify(path: Path, wanted: str | Wanted, cancellation: Cancellation | None = None) -> None:
    """Compare a file with a checksum.

    :param wanted: as for :func:`parse`.
    :raises BuildError: they differ; says what was seen and what was wanted.
    """
    expected = parse(wanted) if isinstance(wanted, str) else wanted
    seen = digest(path, expected.algorithm, cancellation)
    if not hmac.compare_digest(seen, expected.digest):
        raise mismatch(str(path), expected, seen)


def mismatch(what: str, wanted: Wanted, seen: str) -> BuildError:
    """The error for content that is not what was promised."""
    return BuildError(
        f"wrong checksum of {what}",
        details=f"wanted: {wanted}\nseen:   {wanted.algorithm}:{seen}",
        resolution="compare the checksum with the one its publisher names; the file may be damaged or have changed",
    )


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise BuildError(f"cannot read {path}", details=error.strerror) from error


@contextmanager
def _updater(hashes: Sequence[hashlib._Hash]) -> Iterator[Callable[[bytes], None]]:
    """A function that feeds all hashes; at the same time where there are several, as hashlib lets threads run."""
    if len(hashes) == 1:
        yield hashes[0].update
        return
    with ThreadPoolExecutor(max_workers=len(hashes) or 1, thread_name_prefix="packerpy-digest") as pool:

        def update(chunk: bytes) -> None:
            for future in [pool.submit(made.update, chunk) for made in hashes]:
                future.result()

        yield update


def content_crc(path: Path) -> int:
    """A quick check of a file's content (CRC-32 of all blocks that are not zero, and where they are).

    Holes cost nothing, and it is the same whether zeros are stored or not. It notices damage, not malice.
    """
    from isal import isal_zlib

    crc, offset = 0, 0
    with path.open("rb", buffering=0) as file:
        while True:
            try:
                start = os.lseek(file.fileno(), offset, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                    return crc
                raise
            offset = start - start % _CHUNK
            block = os.pread(file.fileno(), _CHUNK, offset)
            if block != _ZEROS[: len(block)]:
                crc = isal_zlib.crc32(block, isal_zlib.crc32(offset.to_bytes(8, "big"), crc))
            offset += _CHUNK
