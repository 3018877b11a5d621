"""One command on an open connection."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import attrs
import paramiko
from paramiko.agent import AgentRequestHandler

from packerpy.communicators.ssh import remote_script
from packerpy.contracts import Cancellation
from packerpy.errors import CommunicatorError, Disconnected
from packerpy.values import Stream

Feed = Callable[[Callable[[bytes], object]], None]
"""Writes a command's input by calling what it is given; runs in a thread of its own."""

_CHUNK = 1 << 20
_OPEN_TIMEOUT = 60.0
"""Seconds for the server to start a session; sshd on a busy emulated machine needs some."""

_SLOT_TIMEOUT = 10.0
"""Seconds for one of the server's sessions to become free; we never use more than it has."""

_LINGER = 1.0
"""Seconds without output after a command's end, when something it started in the background holds its output open."""

_KILL_TIMEOUT = 10.0
"""Seconds for the remote kill; a machine whose network is gone cannot be told."""

_UNKNOWN_SIGNAL = 128 + 9
"""The library does not tell which signal ended a session's first process; SIGKILL is what the wrapper cannot report."""


@attrs.frozen(kw_only=True)
class Request:
    """What a session does.

    :ivar output: called in the caller's thread with each piece of output.
    :ivar label: what errors call the command.
    """

    line: str
    env: dict[str, str] = attrs.field(factory=dict, repr=False)
    feed: Feed | None = None
    output: Callable[[Stream, bytes], None]
    sudo: bool = False
    pty: bool = False
    timeout: float | None = None
    label: str = "the command"
    forward_agent: bool = False


@attrs.frozen
class _Piece:
    stream: Stream
    data: bytes


_Abort = Literal["cancelled", "timeout", "feed", "output"]


class Session:
    """Runs one :class:`Request`, once.

    :param opening: held while a session is opened: the library mixes up the refusals of two that are opened at once.
    """

    def __init__(
        self, transport: paramiko.Transport, request: Request, cancellation: Cancellation, opening: threading.Lock
    ) -> None:
        self._opening = opening
        self._transport, self._request, self._cancellation = transport, request, cancellation
        self._token = "pp" + secrets.token_hex(8)
        self._order = remote_script.order(request.line, request.env)
        self._pieces: queue.Queue[_Piece | None] = queue.Queue(maxsize=64)
        self._cancelled = threading.Event()
        self._ordered = threading.Event()
        self._finished = threading.Event()
        self._feed_error: BaseException | None = None
        self._group: int | None = None
        self._before = b""
        self._forwarding: AgentRequestHandler | None = None

    def run(self) -> int:
        """Answer the exit status; 128 + n when signal n ended it.

        :raises Disconnected: the connection was lost.
        :raises CommunicatorError: it could not be started, or its time was up.
        :raises CancelledError: the run was cancelled.
        """
        self._cancellation.check()
        channel = self._open()
        threads = [
            threading.Thread(target=self._read, args=("stdout", channel.recv), daemon=True),
            threading.Thread(target=self._read, args=("stderr", channel.recv_stderr), daemon=True),
            threading.Thread(target=self._write, args=(channel,), daemon=True),
        ]
        try:
            with self._cancellation.calling(self._cancelled.set):
                for thread in threads:
                    thread.start()
                if not self._request.pty:
                    self._ordered.set()
                reason = self._follow(channel)
                if reason is not None:
                    self._kill(reason, channel)
                    raise self._aborted(reason)
        finally:
            self._finished.set()
            self._ordered.set()
            channel.close()
            if self._forwarding is not None:
                self._forwarding.close()
        return self._status(channel)

    def _open(self) -> paramiko.Channel:
        request = self._request
        try:
            channel = self._free_session()
            if request.forward_agent:
                self._forwarding = AgentRequestHandler(channel)
            if request.pty:
                channel.get_pty(term="vt100", width=120, height=40)
            channel.exec_command(remote_script.wrapper(self._token, sudo=request.sudo, pty=request.pty))
        except (paramiko.SSHException, OSError, EOFError) as error:
            # The library's own thread may not have seen yet what broke the write that begins a session.
            refused = isinstance(error, paramiko.ChannelException)
            if isinstance(error, EOFError) or not (refused or still_connected(self._transport)):
                raise Disconnected(f"the SSH connection is gone, {request.label} was not started") from error
            brief = f"the SSH server starts no session for {request.label}"
            raise CommunicatorError(brief, details=str(error)) from error
        return channel

    def _free_session(self) -> paramiko.Channel:
        """A session; sshd counts one that has ended until it has cleaned up after it, and may say no for a moment."""
        deadline = time.monotonic() + _SLOT_TIMEOUT
        while True:
            try:
                with self._opening:
                    return self._transport.open_session(timeout=_OPEN_TIMEOUT)
            except paramiko.SSHException:
                if not self._transport.is_active() or time.monotonic() >= deadline:
                    raise
            self._cancellation.check()
            time.sleep(0.05)

    def _read(self, stream: Stream, receive: Callable[[int], bytes]) -> None:
        with suppress(OSError):
            while data := receive(_CHUNK):
                self._hand_over(_Piece(stream, data))
        self._hand_over(None)

    def _hand_over(self, piece: _Piece | None) -> None:
        while not self._finished.is_set():
            with suppress(queue.Full):
                self._pieces.put(piece, timeout=0.1)
                return

    def _write(self, channel: paramiko.Channel) -> None:
        self._ordered.wait()
        try:
            channel.sendall(self._order)
            if self._request.feed is not None:
                self._request.feed(lambda data: _send(channel, data))
            if not self._request.pty:  # a terminal has no end of input; what waits for one is ended by its timeout
                channel.shutdown_write()
        except BrokenPipeError:
            return  # the command ended without reading all of its input; its exit status says whether that is bad
        except EOFError:
            return  # the connection is gone, which ends the streams that are read a moment later
        except OSError as error:
            if not channel.closed:
                self._feed_error = error
        except Exception as error:  # noqa: BLE001  raised in the caller's thread
            self._feed_error = error

    def _follow(self, channel: paramiko.Channel) -> _Abort | None:
        """Hand on output until the command has ended; answers why it must be ended by force, if so."""
        deadline = None if self._request.timeout is None else time.monotonic() + self._request.timeout
        open_streams, last_news = 2, time.monotonic()
        while True:
            now = time.monotonic()
            if self._cancelled.is_set():
                return "cancelled"
            if deadline is not None and now >= deadline:
                return "timeout"
            if self._feed_error is not None:
                return "feed"
            if open_streams == 0:
                if channel.status_event.wait(0.05):
                    return None
                continue
            try:
                piece = self._pieces.get(timeout=0.05)
            except queue.Empty:
                if channel.exit_status_ready() and now - last_news > _LINGER:
                    return None
                continue
            last_news = now
            if piece is None:
                open_streams -= 1
            else:
                self._take(piece)

    def _take(self, piece: _Piece) -> None:
        if piece.stream == "stderr" or self._group is not None:
            self._request.output(piece.stream, piece.data)
            return
        self._before += piece.data
        _, found, rest = self._before.partition(self._token.encode() + b" ")
        number, newline, output = rest.partition(b"\n")
        if not (found and newline):
            return
        self._group = int(number)
        self._ordered.set()
        if output:
            self._request.output("stdout", output)

    def _status(self, channel: paramiko.Channel) -> int:
        status = channel.exit_status
        if status == -1 and not still_connected(self._transport):
            raise self._lost()
        if self._group is None:
            raise CommunicatorError(
                f"{self._request.label} could not be started",
                details=f"the session ended with exit code {status}: {self._before.decode(errors='replace').strip()}",
                resolution="with sudo: the user must be allowed to use it without a password"
                if self._request.sudo
                else "the machine needs a POSIX shell as /bin/sh (and stty, for a terminal)",
            )
        return _UNKNOWN_SIGNAL if status == -1 else status

    def _kill(self, reason: _Abort, channel: paramiko.Channel) -> None:
        """Kill the remote process group, over a session of its own on the same connection."""
        self._await_group(channel)
        if self._group is None or not self._transport.is_active():
            return
        with suppress(paramiko.SSHException, OSError, EOFError):
            with self._opening:
                killer = self._transport.open_session(timeout=_KILL_TIMEOUT)
            try:
                killer.exec_command(remote_script.kill(self._group, sudo=self._request.sudo))
                killer.status_event.wait(_KILL_TIMEOUT)
            finally:
                killer.close()

    def _await_group(self, channel: paramiko.Channel) -> None:
        """A command that was only just sent may have started already: wait for it to say who it is."""
        self._request = attrs.evolve(self._request, output=_discard)
        deadline = time.monotonic() + _KILL_TIMEOUT
        while self._group is None and time.monotonic() < deadline and not channel.exit_status_ready():
            with suppress(queue.Empty):
                piece = self._pieces.get(timeout=0.05)
                if piece is not None:
                    self._take(piece)

    def _lost(self) -> Disconnected:
        return Disconnected(
            f"the SSH connection was lost while {self._request.label} was running",
            resolution="if it restarts the machine, declare expect_disconnect=True; else look at the console",
        )

    def _aborted(self, reason: _Abort) -> BaseException:
        if reason == "timeout":
            return CommunicatorError(
                f"{self._request.label} did not end within {self._request.timeout:g} s and was killed"
            )
        if reason == "feed" and self._feed_error is not None:
            broken = isinstance(self._feed_error, OSError) and not still_connected(self._transport)
            return self._lost() if broken else self._feed_error
        try:
            self._cancellation.check()
        except BaseException as error:  # noqa: BLE001  it is what the caller raises
            return error
        return CommunicatorError(f"{self._request.label} was stopped")


def still_connected(transport: paramiko.Transport) -> bool:
    """A connection that breaks ends its channels a moment before it notices that itself."""
    deadline = time.monotonic() + 0.5
    while transport.is_active() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(transport.is_active())


def _discard(_stream: Stream, _data: bytes) -> None:
    """Nobody reads the output of a command that is being killed."""


def _send(channel: paramiko.Channel, data: bytes) -> None:
    view = memoryview(data)
    while view:
        sent = channel.send(bytes(view[: 1 << 15]))
        if sent == 0:
            raise BrokenPipeError("the command takes no more input")
        view = view[sent:]
