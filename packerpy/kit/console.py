"""A machine's serial console, read as it comes."""

from __future__ import annotations

import bisect
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

_KEPT = 256 * 1024
"""Bytes of the console that are kept in memory; the log file has all."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cDEHMNOZ])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """``text`` without terminal escapes and control characters other than newline and tab."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


class Console:
    """Drains a console's socket in a thread of its own, so that the machine never blocks on it.

    :param connected: our end of the socket; owned from now on.
    :param log: the file into which the machine's emulator writes the same output.
    """

    def __init__(self, connected: socket.socket, log: Path) -> None:
        self.log = log
        self._socket = connected
        self._socket.setblocking(True)
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._dropped = 0
        self._listeners: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._drain, name="packerpy-console", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while True:
            try:
                chunk = self._socket.recv(65536)
            except OSError:
                chunk = b""
            if not chunk:
                return
            with self._lock:
                self._buffer += chunk
                surplus = max(0, len(self._buffer) - _KEPT)
                del self._buffer[:surplus]
                self._dropped += surplus
                listeners = tuple(self._listeners)
            for listener in listeners:
                listener()

    @property
    def text(self) -> str:
        """The last part of what the machine printed, without terminal escapes."""
        with self._lock:
            raw = bytes(self._buffer)
        return plain(raw.decode(errors="replace"))

    def mark(self) -> int:
        """The place in the output up to now, for :meth:`after`."""
        with self._lock:
            return self._dropped + len(self._buffer)

    def after(self, mark: int, shows: Callable[[str], bool]) -> int | None:
        """The place right after the first output since ``mark`` that makes ``shows`` true; ``None`` if there is none.

        :param shows: asked of texts without terminal escapes that begin at the mark, as far as the output is kept; true
            of a text, it is true of each that goes on from there.
        """
        with self._lock:
            begins = max(mark, self._dropped)
            raw = bytes(self._buffer[begins - self._dropped :])

        def seen(length: int) -> bool:
            return shows(plain(raw[:length].decode(errors="replace")))

        if not seen(len(raw)):
            return None
        return begins + bisect.bisect_left(range(len(raw)), True, key=seen)

    def last_lines(self, count: int = 30) -> str:
        """The last lines that are not empty."""
        lines = [line.rstrip() for line in self.text.splitlines() if line.strip()]
        return "\n".join(lines[-count:])

    def listen(self, listener: Callable[[], None]) -> None:
        """From now on call ``listener`` (from another thread) after each piece of output."""
        with self._lock:
            self._listeners.append(listener)

    def send(self, text: str) -> None:
        """Type into the console."""
        self._socket.sendall(text.encode())

    def close(self) -> None:
        """Stop reading; safe to call twice."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(timeout=5)
        self._socket.close()
