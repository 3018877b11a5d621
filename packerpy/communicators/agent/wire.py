"""The agent's protocol: JSON lines over a socket, one client at a time, answered strictly in order.

Several threads may ask at once, and one may ask for several things at once: requests are sent without waiting for
earlier answers. Every request has an id that no other connection has used, so that an answer to a question that
somebody else asked (or that this machine was asked before it was saved and restored) is known as such and dropped.
"""

from __future__ import annotations

import base64
import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import attrs

from packerpy.errors import CommunicatorError, Disconnected

Check = Callable[[], None]
"""Called every 0.05 s or so while waiting; raises to end it."""

_TICK = 0.05
_SILENCE = 30.0
"""Seconds without any answer after which it is asked whether the agent still speaks; a slow guest may need some."""

_DEAF = 600.0
"""Seconds without any answer after which the agent is taken for gone: longer than a slow guest needs to restart."""

_WINDOW = 3 << 10
"""Bytes of requests under way, unless it is a single one. The agent (seen with 7.2) reads 4,096 bytes at a time, and
what it answers on a serial port while more than that has come is lost: its library seems to seek the port then."""

_RESET = b"\xff"
"""No JSON text has this byte: it makes the agent drop the beginning of a request that it may have seen."""


class AgentRefused(CommunicatorError):
    """The agent answered with an error."""


@attrs.frozen
class Ask:
    """One request."""

    command: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False)
class Waiting:
    """A request that was sent, and its answer when that has come."""

    command: str
    size: int = 0
    reply: Any = None
    error: str | None = None
    lost: bool = False
    done: bool = False

    def value(self) -> Any:
        """What the agent returned.

        :raises AgentRefused: an error.
        :raises Disconnected: there will be no answer.
        """
        if self.lost:
            raise Disconnected(f"the guest agent was lost before it answered {self.command}")
        if self.error is not None:
            raise AgentRefused(f"the guest agent refused {self.command}", details=self.error)
        return self.reply


class Wire:
    """One connection, owned by those who share it; safe from several threads."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._name = secrets.token_hex(4)
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._pending: dict[str, Waiting] = {}
        self._count = 0
        self._syncs: dict[int, tuple[str, ...]] = {}  # asked, and what else was waited for at that moment
        self._synced = 0
        self._cut = False  # whether the last request was sent in part only
        self._closed = False
        self._users = 1
        self._heard = time.monotonic()
        self._reader = threading.Thread(target=self._read, name="packerpy-agent", daemon=True)
        self._reader.start()

    @property
    def closed(self) -> bool:
        """Whether the other side has hung up, or we have."""
        return self._closed

    def ask(self, *requests: Ask, check: Check) -> list[Any]:
        """Send all at once and answer what is returned to each.

        :raises AgentRefused: the first error among the answers.
        :raises Disconnected: there will be no answer.
        """
        return [self.wait(waiting, check).value() for waiting in self.post(*requests, check=check)]

    def post(self, *requests: Ask, check: Check) -> list[Waiting]:
        """Send all as soon as the agent has room for them, wait for no answer."""
        return [self._post(request, check) for request in requests]

    def wait(self, waiting: Waiting, check: Check) -> Waiting:
        """Wait for one answer."""
        self._await(lambda: waiting.done, waiting.command, check)
        return waiting

    def _post(self, request: Ask, check: Check) -> Waiting:
        while True:
            with self._changed:
                self._count += 1
                name = f"{self._name}-{self._count}"
            line = _line(request, name)
            size = len(line)
            self._await(lambda: self._has_room(size), request.command, check)  # noqa: B023  called in this very loop
            with self._sending:
                with self._changed:
                    if not self._has_room(size):
                        continue  # another thread was faster
                    waiting = Waiting(request.command, size=size, lost=self._closed, done=self._closed)
                    if not self._closed:
                        self._pending[name] = waiting
                try:
                    self._send(line, check)
                except BaseException:
                    with self._changed:
                        self._lose([one for one in (name,) if one in self._pending])  # nobody answers half a request
                    raise
            return waiting

    def _has_room(self, size: int) -> bool:
        under_way = sum(waiting.size for waiting in self._pending.values())
        return self._closed or not under_way or under_way + size <= _WINDOW

    def _await(self, done: Callable[[], bool], command: str, check: Check) -> None:
        asked, patience = time.monotonic(), _SILENCE
        with self._changed:
            while not self._changed.wait_for(done, _TICK):
                quiet = time.monotonic() - max(asked, self._heard)
                if quiet > _DEAF:
                    raise Disconnected(f"the guest agent has not answered {command} for {_DEAF:g} s")
                self._changed.release()  # what is checked may take other locks, and sending takes time
                try:
                    check()
                    if quiet > patience:
                        patience = quiet * 2
                        self.send_sync(check)
                finally:
                    self._changed.acquire()

    def send_sync(self, check: Check) -> None:
        """Ask the agent to say that everything from now on is meant for us; see :attr:`synced`."""
        number = secrets.randbits(31)
        request = Ask("guest-sync-delimited", {"id": number})
        with self._sending:
            with self._changed:
                self._syncs[number] = tuple(self._pending)
            self._cut = True
            self._send(_line(request, None), check)

    def forget(self) -> None:
        """Nobody waits any more for what was asked up to now."""
        with self._changed:
            self._lose(list(self._pending))

    def synchronise(self, timeout: float, check: Check, *, pause: float = 5.0) -> bool:
        """Wait until the agent answers to us; answers whether it did within ``timeout`` seconds.

        The request waits in the socket until an agent opens its side, so it is repeated seldom.

        :raises Disconnected: the socket was closed.
        """
        self.forget()
        deadline, again, before = time.monotonic() + timeout, 0.0, self._synced
        while True:
            now = time.monotonic()
            if now >= again:
                self.send_sync(check)
                again, pause = now + pause, min(pause * 2, 60.0)
            with self._changed:
                self._changed.wait_for(
                    lambda: self._synced != before or self._closed, min(_TICK, max(0.0, deadline - now))
                )
                if self._synced != before:
                    self._syncs.clear()
                    return True
                if self._closed:
                    raise Disconnected("the guest agent's socket was closed: the machine is gone")
            if now >= deadline:
                return False
            check()

    def share(self) -> bool:
        """One more uses it, and closes it when done; answers whether it is open still."""
        with self._changed:
            self._users += not self._closed
            return not self._closed

    def close(self) -> None:
        """Hang up, unless somebody else still uses it; the last one may call it twice."""
        with self._changed:
            self._users -= 1
            if self._users > 0:
                return
            self._closed = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(5)
        self._socket.close()

    def _send(self, data: bytes, check: Check) -> None:
        view = memoryview(_RESET + data if self._cut else data)
        self._cut = True
        while view and not self._closed:
            try:
                view = view[self._socket.send(view[: 1 << 18]) :]
            except BlockingIOError:
                check()
                with suppress(ValueError):  # closed meanwhile
                    select.select([], [self._socket], [], _TICK)
            except OSError:
                self._end()
        self._cut = False

    def _read(self) -> None:
        kept = bytearray()
        while True:
            try:
                select.select([self._socket], [], [])
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                data = b""
            if not data:
                self._end()
                return
            *lines, rest = data.split(b"\n")
            for line in lines:
                self._take(bytes(kept) + line)
                kept.clear()
            kept += rest

    def _take(self, line: bytes) -> None:
        try:
            reply = json.loads(line.rpartition(_RESET)[2])
        except ValueError:
            return  # the end of something that was said to somebody else
        if not isinstance(reply, dict):
            return
        with self._changed:
            self._heard = time.monotonic()
            returned, name = reply.get("return"), reply.get("id")
            if name is None and isinstance(returned, int) and returned in self._syncs:
                self._synced += 1
                # What was asked before the answered request and has no answer yet, gets none.
                self._lose([known for known in self._syncs.pop(returned) if known in self._pending])
            elif name in self._pending:
                names = list(self._pending)
                self._lose(names[: names.index(name)])
                waiting = self._pending.pop(name)
                waiting.reply, waiting.done = returned, True
                if "error" in reply:
                    waiting.error = str(reply["error"].get("desc", reply["error"]))
            self._changed.notify_all()

    def _lose(self, names: list[str]) -> None:
        for name in names:
            waiting = self._pending.pop(name)
            waiting.lost = waiting.done = True
        self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._closed = True
            self._lose(list(self._pending))


def _line(request: Ask, name: str | None) -> bytes:
    asked: dict[str, Any] = {"execute": request.command}
    if request.arguments:
        asked["arguments"] = dict(request.arguments)
    if name is not None:
        asked["id"] = name
    return json.dumps(asked, separators=(",", ":")).encode() + b"\n"


def encoded(data: bytes | memoryview) -> str:
    """Bytes as the protocol carries them."""
    return base64.b64encode(data).decode("ascii")


def decoded(text: str) -> bytes:
    """The bytes."""
    return base64.b64decode(text)
