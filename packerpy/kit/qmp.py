"""QEMU's machine protocol, synchronous: commands are answered, events are waited for.

The library beneath (``qemu.qmp``) is asynchronous; its event loop runs in one thread for the life of the process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

import attrs

from packerpy.contracts import Cancellation
from packerpy.errors import SourceError

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None
_loop_lock = threading.Lock()


class QmpError(SourceError):
    """QEMU refused a command, or could not be asked."""


class QmpClosed(QmpError):
    """The connection is gone, which means that QEMU is."""


@attrs.frozen(kw_only=True)
class QmpEvent:
    """Something that QEMU told by itself.

    :ivar name: such as ``SHUTDOWN``.
    :ivar data: its arguments.
    """

    name: str
    data: Mapping[str, Any] = attrs.field(factory=dict)


def _shared_loop() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603  one thread for the life of the process; see the module's text
    with _loop_lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="packerpy-qmp", daemon=True).start()
        return _loop


def _finish(work: Coroutine[Any, Any, T], timeout: float) -> T:
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout), _shared_loop()).result()


class Qmp:
    """One connection, safe from several threads.

    :param connected: our end of a socket pair (or a connected socket) whose other end QEMU holds; owned from now on.
    :param timeout: seconds that QEMU may take for its greeting.
    :raises QmpClosed: QEMU hung up before it greeted.
    """

    def __init__(self, connected: socket.socket, *, timeout: float = 60) -> None:
        from qemu.qmp import EventListener, QMPClient, QMPError

        # Its loggers speak of errors that are raised here; without a handler Python would print them.
        logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
        self._errors = (QMPError, OSError, EOFError, asyncio.TimeoutError)
        self._client = QMPClient()
        self._changed = threading.Condition()
        self._events: list[QmpEvent] = []
        self._closed = False
        self._listeners: list[Callable[[], None]] = []
        listener = EventListener()
        self._client.register_listener(listener)
        connected.setblocking(False)
        try:
            _finish(self._client.connect(connected), timeout)
        except self._errors as error:
            connected.close()
            raise QmpClosed("QEMU hung up before it could be spoken to", details=str(error)) from error
        loop = _shared_loop()
        self._tasks = [
            asyncio.run_coroutine_threadsafe(self._collect(listener), loop),
            asyncio.run_coroutine_threadsafe(self._watch_end(), loop),
        ]

    async def _collect(self, listener: Any) -> None:
        async for message in listener:
            self._note(QmpEvent(name=str(message["event"]), data=dict(message.get("data", {}))))

    async def _watch_end(self) -> None:
        from qemu.qmp import Runstate

        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()
        await asyncio.sleep(0)  # events that came with the last bytes are noted first
        self._note(None)

    def _note(self, event: QmpEvent | None) -> None:
        with self._changed:
            if event is None:
                self._closed = True
            else:
                self._events.append(event)
            self._changed.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    @property
    def closed(self) -> bool:
        """Whether QEMU has hung up."""
        return self._closed

    @property
    def events(self) -> tuple[QmpEvent, ...]:
        """All events since the connection was made."""
        with self._changed:
            return tuple(self._events)

    def listen(self, listener: Callable[[], None]) -> None:
        """From now on call ``listener`` (from another thread) after each event and at the end."""
        with self._changed:
            self._listeners.append(listener)

    def execute(self, command: str, *, timeout: float = 60, **arguments: Any) -> Any:
        """Run a command and answer what it returns; underscores in argument names stand for dashes.

        :raises QmpClosed: QEMU is gone.
        :raises QmpError: it refused.
        """
        if self._closed:
            raise QmpClosed(f"QEMU is gone; {command!r} could not be asked of it")
        given = {name.replace("_", "-"): value for name, value in arguments.items()}
        try:
            return _finish(self._client.execute(command, given), timeout)
        except self._errors as error:
            kind = QmpClosed if self._closed else QmpError
            raise kind(f"QEMU refused {command!r}", details=str(error) or type(error).__name__) from error

    def lend(self, descriptor: int, name: str) -> None:
        """Give QEMU a copy of an open file, under a name that commands know it by (as ``fd:name``).

        :raises QmpError: it does not take it, or is gone.
        """

        async def hand_over() -> None:
            self._client.send_fd_scm(descriptor)
            await self._client.execute("getfd", {"fdname": name})

        try:
            _finish(hand_over(), 60)
        except self._errors as error:
            kind = QmpClosed if self._closed else QmpError
            raise kind("QEMU did not take an open file", details=str(error) or type(error).__name__) from error

    def monitor(self, line: str) -> str:
        """Run a line of the human monitor, for what QMP has no command; answers what it printed."""
        return str(self.execute("human-monitor-command", command_line=line))

    def mark(self) -> int:
        """The place in the stream of events up to now, for :meth:`wait`."""
        with self._changed:
            return len(self._events)

    def wait(
        self,
        names: Collection[str],
        *,
        since: int = 0,
        timeout: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> QmpEvent | None:
        """Wait for the first of the named events after ``since``; ``None`` when QEMU hung up without it.

        :raises TimeoutError: it did not come in time.
        :raises packerpy.errors.CancelledError: the run was cancelled.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with cancellation.calling(self._wake) if cancellation else nullcontext(), self._changed:
            while True:
                if cancellation is not None:
                    cancellation.check()
                found = next((event for event in self._events[since:] if event.name in names), None)
                if found is not None or self._closed:
                    return found
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"none of {', '.join(sorted(names))} came within {timeout:g} s")
                self._changed.wait(left)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Hang up; safe to call twice."""
        try:
            _finish(self._client.disconnect(), 10)
        except self._errors:
            pass
        for task in self._tasks:
            task.cancel()
        self._note(None)
