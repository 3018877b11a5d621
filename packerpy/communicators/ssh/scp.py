"""Files by the machine's ``scp`` program and the old protocol between two of them.

One side sends lines ``C0644 SIZE NAME``, ``D0755 0 NAME``, ``E`` and (for times) ``T…``, and after a ``C`` the content
and a zero byte; the other answers each with a zero byte, or with 1 or 2 and a complaint.
"""

from __future__ import annotations

import os
import queue
import secrets
import shlex
import stat
import threading
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

from packerpy.communicators.ssh.shell_files import PIECE
from packerpy.contracts import Run
from packerpy.errors import CommunicatorError, Disconnected

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel

Write = Callable[[bytes], object]

_LAST_WORDS = 2.0
"""Seconds to read what a failed scp said before it ended."""


class ScpMover:
    """See :class:`packerpy.communicators.ssh.movers.Mover`. Symbolic links arrive as what they point to."""

    def __init__(self, channel: SSHChannel, run: Run) -> None:
        self._channel, self._run = channel, run

    def put(self, file: IO[bytes], target: PurePath, mode: int, label: str) -> None:
        """See there."""
        name = f".packerpy-{secrets.token_hex(8)}"
        folder, temporary, final = (shlex.quote(str(path)) for path in (target.parent, target.parent / name, target))
        line = (
            f"[ ! -d {final} ] || {{ echo {final} is a folder >&2; exit 21; }}; mkdir -p {folder} || exit; "
            f"scp -qt {temporary} && chmod {mode:o} {temporary} && mv -f {temporary} {final} "
            f"|| {{ rm -f {temporary}; exit 1; }}"
        )
        size = os.fstat(file.fileno()).st_size
        self._send(line, label, lambda link: link.file(file, size, 0o600, name))

    def get(self, source: PurePath, file: IO[bytes], label: str) -> None:
        """See there."""
        name = shlex.quote(str(source))
        line = f"[ ! -d {name} ] || {{ echo {name} is a folder >&2; exit 21; }}; exec scp -qf {name}"
        self._receive(line, label, _Receiver(file=file))

    def put_tree(self, source: Path, target: PurePath, label: str) -> None:
        """See there."""
        folder = shlex.quote(str(target))
        self._send(f"mkdir -p {folder} && exec scp -qrpt {folder}", label, lambda link: self._send_folder(link, source))

    def get_tree(self, source: PurePath, target: Path, label: str) -> None:
        """See there."""
        folder = shlex.quote(str(source))
        line = f"[ -d {folder} ] || {{ echo {folder} is not a folder >&2; exit 20; }}; exec scp -qrpf {folder}"
        self._receive(line, label, _Receiver(folder=target))

    def _send(self, line: str, label: str, work: Callable[[_Link], None]) -> None:
        answers = _Pieces()

        def feed(write: Write) -> None:
            link = _Link(write, answers)
            link.confirm()
            work(link)

        self._transfer(line, label, answers, feed)

    def _receive(self, line: str, label: str, receiver: _Receiver) -> None:
        pieces = _Pieces()
        self._transfer(line, label, pieces, lambda write: receiver.run(pieces, write))

    def _transfer(self, line: str, label: str, pieces: _Pieces, feed: Callable[[Write], None]) -> None:
        complaints: list[CommunicatorError] = []
        done = threading.Event()

        def listening(write: Write) -> None:
            try:
                feed(write)
            except CommunicatorError as error:
                complaints.append(error)
                raise
            finally:
                done.set()

        try:
            self._channel.transfer(line, label, feed=listening, output=pieces.put)
        except CommunicatorError as error:
            pieces.put(b"")
            # The exit code may be here before the complaint, which says more, was read.
            done.wait(_LAST_WORDS)
            if complaints and not isinstance(error, Disconnected):
                raise CommunicatorError(f"{label} failed", details=complaints[0].details) from error
            raise
        finally:
            pieces.put(b"")

    def _send_folder(self, link: _Link, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            status = path.stat() if path.exists() else path.lstat()
            mode = status.st_mode & 0o7777
            if stat.S_ISDIR(status.st_mode):
                link.times(status)
                link.line(f"D{mode:04o} 0 {path.name}")
                self._send_folder(link, path)
                link.line("E")
            elif stat.S_ISREG(status.st_mode):
                link.times(status)
                with path.open("rb") as file:
                    link.file(file, os.fstat(file.fileno()).st_size, mode, path.name)
            else:
                self._run.say(f"not uploaded, because it is no file or folder: {path}")


class _Pieces:
    """What the other side says, as it comes; an empty piece is its end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._buffer = b""
        self.put = self._queue.put

    def read(self, most: int) -> bytes:
        """At least one byte.

        :raises BrokenPipeError: there is none any more; the exit code says why.
        """
        if not self._buffer:
            self._buffer = self._queue.get()
        if not self._buffer:
            raise BrokenPipeError("the machine's scp has ended")
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        return piece

    def line(self) -> bytes:
        """Up to the next line break, without it."""
        line = bytearray()
        while (byte := self.read(1)) != b"\n":
            line += byte
        return bytes(line)


class _Link:
    """The sending side."""

    def __init__(self, write: Write, answers: _Pieces) -> None:
        self._write, self._answers = write, answers

    def confirm(self) -> None:
        """Wait for the other side's answer."""
        if self._answers.read(1) != b"\0":
            raise CommunicatorError("the machine's scp refuses", details=self._answers.line().decode(errors="replace"))

    def line(self, text: str) -> None:
        """Send one line, and have it confirmed."""
        if "\n" in text:
            raise CommunicatorError("scp cannot send a name with a line break in it", details=repr(text))
        self._write(os.fsencode(text) + b"\n")
        self.confirm()

    def times(self, status: os.stat_result) -> None:
        """Tell the times of what comes next."""
        self.line(f"T{int(status.st_mtime)} 0 {int(status.st_atime)} 0")

    def file(self, file: IO[bytes], size: int, mode: int, name: str) -> None:
        """Send one file."""
        self.line(f"C{mode:04o} {size} {name}")
        left = size
        while left and (data := file.read(min(PIECE, left))):
            self._write(data)
            left -= len(data)
        if left:
            raise CommunicatorError(f"{name} became shorter while it was sent")
        self._write(b"\0")
        self.confirm()


class _Receiver:
    """The receiving side: of one file, or of a folder's contents."""

    def __init__(self, *, file: IO[bytes] | None = None, folder: Path | None = None) -> None:
        self._file = file
        self._stack: list[tuple[Path, int, tuple[int, int] | None]] = []
        self._top = folder
        self._times: tuple[int, int] | None = None

    def run(self, pieces: _Pieces, write: Write) -> None:
        """Take everything until the other side ends."""
        write(b"\0")
        while True:
            try:
                kind = pieces.read(1)
            except BrokenPipeError:
                return
            line = os.fsdecode(pieces.line())
            if kind == b"T":
                seconds, _, accessed, _ = line.split()
                self._times = (int(accessed), int(seconds))
            elif kind == b"C":
                write(b"\0")
                self._take_file(line, pieces)
            elif kind == b"D":
                self._enter(line)
            elif kind == b"E":
                self._leave()
            else:
                raise CommunicatorError("the machine's scp refuses", details=line)
            write(b"\0")

    def _take_file(self, line: str, pieces: _Pieces) -> None:
        mode, size, name = line.split(" ", 2)
        if self._file is not None:
            _receive_content(pieces, int(size), self._file)
            return
        path = self._place(name)
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            _receive_content(pieces, int(size), file)
        _finish(path, int(mode, 8), self._times)
        self._times = None

    def _enter(self, line: str) -> None:
        """A folder begins; the outermost is the one that was asked for, and already there."""
        mode, _, name = line.split(" ", 2)
        path = self._place(name) if self._stack else self._outermost()
        path.mkdir(mode=0o700, exist_ok=True)
        self._stack.append((path, int(mode, 8), self._times))
        self._times = None

    def _leave(self) -> None:
        path, mode, times = self._stack.pop()
        if self._stack:
            _finish(path, mode, times)

    def _outermost(self) -> Path:
        if self._top is None:
            raise CommunicatorError("the machine's scp sends a folder where one file was asked for")
        return self._top

    def _place(self, name: str) -> Path:
        if "/" in name or name in ("", ".", "..") or not self._stack:
            raise CommunicatorError(f"the machine names a file {name!r}, which would lie outside of its folder")
        return self._stack[-1][0] / name


def _receive_content(pieces: _Pieces, size: int, file: IO[bytes]) -> None:
    while size:
        data = pieces.read(size)
        file.write(data)
        size -= len(data)
    if pieces.read(1) != b"\0":
        raise CommunicatorError("the machine's scp could not read all of a file", details=os.fsdecode(pieces.line()))


def _finish(path: Path, mode: int, times: tuple[int, int] | None) -> None:
    path.chmod(mode & 0o7777)
    if times is not None:
        os.utime(path, times)
