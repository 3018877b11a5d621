"""Files and folders through the agent.

What is small is a command's input or output. What is larger is written to a file in the machine by ``guest-file-write``
and read by the command from there, or read by ``guest-file-read``, in pieces. What is larger still is written over SSH
if that works, see :mod:`packerpy.communicators.agent.uploads`.

Measured with an agent in an emulated guest (tcg, two processors, on a busy host): 20 MB up at 0.5 to 0.7 MB/s, as the
agent reads requests character by character; down at 1.8 to 2.4 MB/s. On the host itself, without emulation, the same
agent takes 12 MB/s and gives 20 MB/s.
"""

from __future__ import annotations

import io
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

import attrs
import zstandard

from packerpy.communicators.agent import guest_script
from packerpy.communicators.agent.guest_script import User
from packerpy.communicators.agent.job import Job, Request
from packerpy.communicators.agent.wire import Ask, Waiting, decoded, encoded
from packerpy.errors import CommunicatorError
from packerpy.kit import tree_script, tree_stream
from packerpy.kit.tree_place import unpacking
from packerpy.kit.upload import must_be_folder
from packerpy.values import Stream

if TYPE_CHECKING:
    from packerpy.communicators.agent.channel import AgentChannel

Say = Callable[[str], None]

INLINE = 1 << 18
"""Bytes that travel as a command's input or output; the agent holds several copies of such a request in memory."""

CHUNK = 1 << 18
"""Bytes in one request. From 64 KiB to 4 MiB the speed was the same, within what a busy host lets see; but other
commands wait while a request is read, at 0.5 MB/s under emulation."""

_AHEAD = 3
"""Requests for data under way, so that the machine does not wait for us."""

_SPOOL = "/var/tmp"  # noqa: S108  a folder of a random name, for root alone, is made in it
"""Where larger things wait in the machine: on its disk, as its memory may not hold them."""


@contextmanager
def fed(channel: AgentChannel, request: Request, data: bytes | IO[bytes] | None) -> Iterator[Request]:
    """The request with its input in place; what that took in the machine is gone at the end."""
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    start = source.tell() if source is not None else 0
    first = source.read(INLINE + 1) if source is not None else b""
    if source is None or len(first) <= INLINE:
        yield attrs.evolve(request, feed=first)
        return
    with _spool(channel) as folder:
        name = f"{folder}/input"
        size = source.seek(0, io.SEEK_END) - start
        source.seek(start)
        if not channel.uploads.write(name, source, size):
            source.seek(start)
            _write(channel, name, source)
        yield attrs.evolve(request, feed_file=name)


@contextmanager
def _spool(channel: AgentChannel) -> Iterator[str]:
    """A folder on the machine's disk, for root alone."""
    session = channel.session
    folder = f"{_SPOOL}/packerpy-{session.name}-{session.new_name()}"
    session.capture(f"mkdir -m 700 {folder}")
    try:
        yield folder
    finally:
        with suppress(CommunicatorError):
            session.start(f"rm -rf {folder}")


def _write(channel: AgentChannel, name: str, source: IO[bytes]) -> None:
    session = channel.session
    wire, check = session.wire, session.check
    handle = wire.ask(Ask("guest-file-open", {"path": name, "mode": "w"}), check=check)[0]
    try:
        while piece := source.read(CHUNK):
            wire.ask(Ask("guest-file-write", {"handle": handle, "buf-b64": encoded(piece)}), check=check)
        wire.ask(Ask("guest-file-flush", {"handle": handle}), check=check)
    finally:
        with suppress(CommunicatorError):
            wire.post(Ask("guest-file-close", {"handle": handle}), check=session.check_alive)


def _read(channel: AgentChannel, name: str, target: IO[bytes]) -> None:
    session = channel.session
    wire, check = session.wire, session.check
    handle = wire.ask(Ask("guest-file-open", {"path": name, "mode": "r"}), check=check)[0]
    request = Ask("guest-file-read", {"handle": handle, "count": CHUNK})
    under_way: deque[Waiting] = deque()
    try:
        while True:
            while len(under_way) < _AHEAD:
                under_way += wire.post(request, check=check)
            answer = wire.wait(under_way.popleft(), check).value()
            if answer["count"]:
                target.write(decoded(answer["buf-b64"]))
            if answer["eof"]:
                return
    finally:
        with suppress(CommunicatorError):
            wire.post(Ask("guest-file-close", {"handle": handle}), check=session.check_alive)


def send(channel: AgentChannel, line: str, label: str, data: IO[bytes]) -> None:
    """Run a command of ours, as root, that reads ``data``.

    :raises CommunicatorError: it ended with another exit code than 0; details hold what it said.
    """
    said = _Said()
    with fed(channel, Request(line=line, output=said, label=label), data) as request:
        _demand(Job(channel.session, request).run(), label, said)


def fetch_file(channel: AgentChannel, name: str, label: str, target: IO[bytes]) -> None:
    """Read one file of the machine."""
    said = _Said(target)
    request = Request(line=guest_script.get_file(name, INLINE), output=said, label=label)
    status = Job(channel.session, request).run()
    if status == guest_script.BIG:
        # Not before it is known to be an ordinary file: the agent would hang on a pipe.
        _read(channel, name, target)
    else:
        _demand(status, label, said)


class _Said:
    """Output goes to a file, complaints are kept."""

    def __init__(self, target: IO[bytes] | None = None) -> None:
        self._target = target
        self.complaints: list[bytes] = []

    def __call__(self, stream: Stream, data: bytes) -> None:
        if stream == "stderr":
            self.complaints.append(data)
        elif self._target is not None:
            self._target.write(data)


def _demand(status: int, label: str, said: _Said) -> None:
    if status:
        complaint = b"".join(said.complaints).decode(errors="replace").strip()
        raise CommunicatorError(f"{label} failed", details=complaint or f"exit code {status}")


def put_tree(channel: AgentChannel, source: Path, target: PurePath, *, say: Say) -> None:
    """Upload the contents of ``source`` into ``target``; packed first, as nothing is gained by doing both at once."""
    must_be_folder(source)
    abilities = channel.session.abilities
    _require_tar(abilities)

    def skipped(name: str) -> None:
        say(f"not uploaded, because it is no file, folder or link: {source / name}")

    with tempfile.TemporaryFile(dir=channel.scratch) as packed:
        try:
            if "zstd" in abilities:
                with zstandard.ZstdCompressor(level=3).stream_writer(packed, closefd=False) as stream:
                    tree_stream.pack(source, stream, skipped=skipped)
            else:
                tree_stream.pack(source, packed, skipped=skipped)
        except OSError as error:
            raise CommunicatorError(f"cannot read {error.filename or source}", details=str(error)) from error
        packed.seek(0)
        line = tree_script.put_tree(str(target), gnu="gnu" in abilities, zstd="zstd" in abilities)
        send(channel, line, f"the upload of {source} to {target}", packed)


def get_tree(channel: AgentChannel, source: PurePath, target: Path, *, say: Say) -> None:
    """Download the contents of ``source`` into ``target``; a folder that did not exist appears when complete."""
    abilities = channel.session.abilities
    _require_tar(abilities)
    label = f"the download of {source} to {target}"
    with tempfile.TemporaryFile(dir=channel.scratch) as packed:
        said = _Said(packed)
        line = tree_script.get_tree(str(source), zstd="zstd" in abilities)
        with _spool(channel) as folder:
            request = Request(line=line, output=said, label=label, folder=folder, user=User())
            _demand(Job(channel.session, request).run(), label, said)
        packed.seek(0)
        try:
            _unpack(packed, target, compressed="zstd" in abilities, say=say)
        except OSError as error:
            raise CommunicatorError(f"{label} failed", details=str(error)) from error


def _unpack(packed: IO[bytes], target: Path, *, compressed: bool, say: Say) -> None:
    def skipped(name: str) -> None:
        say(f"not downloaded, because it is no file, folder or link: {name}")

    with unpacking(target) as place:
        if not compressed:
            tree_stream.unpack(packed, place, skipped=skipped)
            return
        with zstandard.ZstdDecompressor().stream_reader(packed, closefd=False) as stream:
            tree_stream.unpack(stream, place, skipped=skipped)


def _require_tar(abilities: frozenset[str]) -> None:
    if "tar" not in abilities:
        raise CommunicatorError(
            "the machine has no tar, so folders cannot be moved", resolution="install tar in it, or move single files"
        )
