"""Waiting for a machine's SSH server, and noticing within about 0.2 s that it is there.

A plain "connect, and try again later" does not do: a packet that is sent while the machine's network is down is sent
again only after ever longer pauses. So a new attempt starts every 0.2 s while older ones are still held, and the first
whose server speaks wins.

QEMU's user-mode network is different (looked at with a packet dump). The host accepts every connection at once, and the
connection is delivered to the guest when its network comes up; a refusal by the guest then closes it here. Even what
was given up in the meantime is delivered, and a guest that gets a hundred connections at the moment its server starts
is busy with them for minutes. So an accepted connection that is silent is held, and more are made ever more seldom; one
that is closed at once tells that the guest's network is up and its server is not, and then trying every 0.2 s is cheap.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

import attrs

from packerpy.contracts import Cancellation
from packerpy.errors import CommunicatorError

STAGGER = 0.2
"""Seconds between two attempts."""

_PATIENCE = (1.0, 10.0)
"""Seconds between two attempts, at least and at most, while a connection was accepted and nothing was said on it."""

_KEPT = 75.0
"""Seconds after which a silent attempt is given up, as QEMU's network does; sshd hangs up after 120 by itself."""

_AT_ONCE = 4
"""Attempts held at a time; each costs an emulated guest half a second when its server starts."""


@attrs.define(eq=False)
class _Attempt:
    socket: socket.socket
    started: float
    connected: bool = False


class BannerWait:
    """Waits until something at ``host:port`` begins to speak SSH; answers the socket with the banner still unread.

    :param host: address or name.
    :param port: TCP port.
    :param cancellation: asked at least every 0.1 s.
    :param died: why the machine is gone, or ``None`` while it lives.
    """

    def __init__(
        self, host: str, port: int, *, cancellation: Cancellation, died: Callable[[], str | None] | None = None
    ) -> None:
        self._host, self._port = host, port
        self._cancellation, self._died = cancellation, died
        self._selector = selectors.DefaultSelector()
        self._attempts: list[_Attempt] = []
        self._count = 0
        self._accepted = False
        self._last_start = 0.0
        self._last_error = "no answer"

    def wait(self, timeout: float) -> socket.socket:
        """Wait at most ``timeout`` seconds.

        :raises CommunicatorError: nothing spoke SSH by then, or the machine died; says which.
        """
        deadline = time.monotonic() + timeout
        next_start = 0.0
        try:
            while True:
                self._cancellation.check()
                now = time.monotonic()
                if now >= deadline:
                    raise self._timed_out(timeout)
                if now >= next_start:
                    self._check_alive()
                    self._thin_out(now)
                    self._start(now)
                    next_start = self._next_start(now)
                if (winner := self._look(min(next_start, deadline) - now)) is not None:
                    return winner
                next_start = self._next_start(time.monotonic())
        finally:
            for attempt in list(self._attempts):
                self._drop(attempt)
            self._selector.close()

    def _next_start(self, now: float) -> float:
        silent = [attempt for attempt in self._attempts if attempt.connected]
        if not silent:
            return self._last_start + STAGGER
        least, most = _PATIENCE
        return self._last_start + min(most, max(least, 0.5 * (now - silent[0].started)))

    def _check_alive(self) -> None:
        reason = self._died() if self._died is not None else None
        if reason is not None:
            raise CommunicatorError("the machine is gone while waiting for its SSH server", details=reason)

    def _start(self, now: float) -> None:
        self._last_start = now
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            self._last_error = f"{self._host}: {error.strerror}"
            return
        family, kind, protocol, _, address = found[self._count % len(found)]
        self._count += 1
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            self._last_error = os.strerror(code)
            return
        attempt = _Attempt(sock, now)
        self._attempts.append(attempt)
        self._selector.register(sock, selectors.EVENT_WRITE, attempt)

    def _look(self, seconds: float) -> socket.socket | None:
        """Wait for news of any attempt; answers the one whose server speaks."""
        for key, _ in self._selector.select(max(0.0, min(seconds, 0.1))):
            attempt: _Attempt = key.data
            if not attempt.connected:
                self._finish_connecting(attempt)
            elif self._speaks(attempt):
                self._forget(attempt)
                attempt.socket.setblocking(True)
                return attempt.socket
        return None

    def _finish_connecting(self, attempt: _Attempt) -> None:
        code = attempt.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._last_error = os.strerror(code)
            self._drop(attempt)
            return
        attempt.connected = self._accepted = True
        self._selector.modify(attempt.socket, selectors.EVENT_READ, attempt)

    def _speaks(self, attempt: _Attempt) -> bool:
        try:
            seen = attempt.socket.recv(256, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError as error:
            seen, self._last_error = b"", error.strerror or str(error)
        if b"SSH-" in seen:
            return True
        if seen and b"SSH-".startswith(seen):  # its first bytes, the rest is on its way
            time.sleep(0.002)
            return False
        if seen:
            self._last_error = f"it says {seen[:60]!r}, which is not SSH"
        else:
            self._last_error = "the connection is closed at once"
        self._drop(attempt)
        return False

    def _thin_out(self, now: float) -> None:
        """Make room for one more attempt, keeping ages spread out."""
        for attempt in [a for a in self._attempts if now - a.started > _KEPT]:
            self._drop(attempt)
        while len(self._attempts) >= _AT_ONCE:
            ages = [now - attempt.started for attempt in self._attempts]  # oldest first
            crowded = min(range(1, len(ages)), key=lambda i: ages[i - 1] / max(ages[i], STAGGER))
            self._drop(self._attempts[crowded])

    def _forget(self, attempt: _Attempt) -> None:
        self._attempts.remove(attempt)
        self._selector.unregister(attempt.socket)

    def _drop(self, attempt: _Attempt) -> None:
        self._forget(attempt)
        with suppress(OSError):
            attempt.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
        attempt.socket.close()

    def _timed_out(self, timeout: float) -> CommunicatorError:
        place = f"{self._host}:{self._port}"
        if self._accepted:
            return CommunicatorError(
                f"{place} takes connections, but no SSH server spoke within {timeout:g} s",
                details=f"last seen: {self._last_error}",
                resolution="look at the machine's console: is sshd installed, enabled and started, is the network up? "
                "If it only needs longer, raise timeout=",
            )
        return CommunicatorError(
            f"{place} could not be reached within {timeout:g} s",
            details=f"last seen: {self._last_error}",
            resolution="check address and port, firewall, and whether the machine has booted",
        )
