"""One JSON object a line, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

import attrs

from packerpy.cli.render.choose import Renderer
from packerpy.cli.render.out import Out
from packerpy.events import Event


class JsonLines(Renderer):
    """Writes each event as an object: its class under ``event``, and its fields."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)

    def __call__(self, event: Event, /) -> None:
        """Write one line, at once."""
        content = {"event": type(event).__name__, **attrs.asdict(event)}
        self._out.write(json.dumps(content, ensure_ascii=False) + "\n")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing to pause."""
        yield

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""
