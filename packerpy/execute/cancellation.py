"""Asking a run to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from packerpy.contracts import Cancellation
from packerpy.errors import CancelledError


class CancelToken(Cancellation):
    """A request to stop that wakes whoever waits and calls whoever asked to be called."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[object, Callable[[], None]] = {}

    @property
    def requested(self) -> bool:
        """Whether :meth:`request` was called."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise :class:`CancelledError` if a stop was requested."""
        if self._event.is_set():
            raise CancelledError("cancelled")

    def request(self) -> None:
        """Ask to stop; may be called from any thread, more than once."""
        with self._lock:
            self._event.set()
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def wait(self, seconds: float) -> None:
        """Sleep, or raise :class:`CancelledError` at the moment of a request."""
        if self._event.wait(seconds):
            self.check()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the context, call ``callback`` at a request; at once if it was made already."""
        key = object()
        with self._lock:
            late = self._event.is_set()
            if not late:
                self._callbacks[key] = callback
        if late:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.pop(key, None)


@contextmanager
def limited(outer: CancelToken, seconds: float) -> Iterator[CancelToken]:
    """A token that is requested when ``outer`` is, and when the time is up."""
    inner = CancelToken()
    timer = threading.Timer(seconds, inner.request)
    with outer.calling(inner.request):
        timer.start()
        try:
            yield inner
        finally:
            timer.cancel()
