"""Hands events to listeners, one at a time, with secrets masked."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import attrs

from packerpy.events import Event, Listener
from packerpy.execute.asking import AskSecret, on_terminal
from packerpy.execute.masking import Masker
from packerpy.kit.log import logger


class Bus:
    """The one place through which a run speaks.

    :ivar ask_secret: asks its user for a secret.
    """

    def __init__(
        self,
        listeners: Iterable[Listener] = (),
        masker: Masker | None = None,
        ask_secret: AskSecret = on_terminal,
    ) -> None:
        self.ask_secret = ask_secret
        self.masker = masker or Masker()
        self._listeners = tuple(listeners)
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Mask every text of the event and hand it on; a listener that raises is logged, and never breaks a build."""
        changes: dict[str, Any] = {}
        for field in attrs.fields(type(event)):
            value = getattr(event, field.name)
            masked = self._masked(value)
            if masked != value:
                changes[field.name] = masked
        event = attrs.evolve(event, **changes) if changes else event
        with self._lock:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # noqa: BLE001  see above
                    logger().exception("listener failed", listener=repr(listener))

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self.masker(value)
        if isinstance(value, tuple):
            return tuple(self._masked(item) for item in value)
        return value
