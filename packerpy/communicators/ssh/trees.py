"""Folders over one session: a tar stream, compressed where the machine has zstd."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Self

import zstandard

from packerpy.errors import CommunicatorError
from packerpy.kit import tree_script, tree_stream

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel

Say = Callable[[str], None]


class _Writer:
    """A file object for what only takes bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)


def put(
    channel: SSHChannel, source: Path, target: PurePath, abilities: frozenset[str], label: str, *, say: Say
) -> None:
    """Upload the contents of ``source`` into ``target``."""
    _require_tar(abilities)
    zstd = "zstd" in abilities

    def feed(write: Callable[[bytes], object]) -> None:
        try:
            _pack(source, write, compress=zstd, say=say)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommunicatorError(f"cannot read {error.filename or source}", details=str(error)) from error

    line = tree_script.put_tree(str(target), gnu="gnu" in abilities, zstd=zstd)
    channel.transfer(line, label, feed=feed)


def _pack(source: Path, write: Callable[[bytes], object], *, compress: bool, say: Say) -> None:
    def skipped(name: str) -> None:
        say(f"not uploaded, because it is no file, folder or link: {source / name}")

    if not compress:
        tree_stream.pack(source, _Writer(write), skipped=skipped)
        return
    compressor = zstandard.ZstdCompressor(level=1)
    with compressor.stream_writer(_Writer(write), closefd=False) as stream:  # type: ignore[arg-type]
        tree_stream.pack(source, stream, skipped=skipped)


def get(
    channel: SSHChannel, source: PurePath, target: Path, abilities: frozenset[str], label: str, *, say: Say
) -> None:
    """Download the contents of ``source`` into the folder ``target``."""
    _require_tar(abilities)
    line = tree_script.get_tree(str(source), zstd="zstd" in abilities)
    with _Unpacking(target, compressed="zstd" in abilities, say=say) as unpacking:
        channel.transfer(line, label, output=unpacking.write)


def _require_tar(abilities: frozenset[str]) -> None:
    if "tar" not in abilities:
        raise CommunicatorError(
            "the machine has no tar, so folders cannot be moved", resolution="install tar in it, or move single files"
        )


class _Unpacking:
    """Unpacks in a thread what is written to it; what goes wrong there is raised where it is written or closed."""

    def __init__(self, folder: Path, *, compressed: bool, say: Say) -> None:
        reading, self._writing = os.pipe()
        self._source = os.fdopen(reading, "rb", buffering=1 << 18)
        self._folder, self._compressed, self._say = folder, compressed, say
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._unpack, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._writing, view) :]
        except BrokenPipeError:
            self._thread.join()
            raise self._error or CommunicatorError("the tar stream goes on after its end") from None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.close(self._writing)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _unpack(self) -> None:
        def skipped(name: str) -> None:
            self._say(f"not downloaded, because it is no file, folder or link: {name}")

        try:
            if self._compressed:
                with zstandard.ZstdDecompressor().stream_reader(self._source, closefd=False) as stream:
                    tree_stream.unpack(stream, self._folder, skipped=skipped)
            else:
                tree_stream.unpack(self._source, self._folder, skipped=skipped)
            with suppress(OSError):
                while self._source.read(1 << 16):  # the padding after the archive's end
                    pass
        except BaseException as error:  # noqa: BLE001  raised in the other thread
            self._error = error
        finally:
            self._source.close()
