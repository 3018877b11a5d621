"""Plain lines, each with the name of its build in front; for logs and pipes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from packerpy.cli.render.choose import Renderer
from packerpy.cli.render.lines import lines_of
from packerpy.cli.render.out import Out
from packerpy.events import Event


class Plain(Renderer):
    """Writes lines such as ``web: step-1: done in 3.2 s``."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)

    def __call__(self, event: Event, /) -> None:
        """Write the event's lines, at once."""
        for line in lines_of(event):
            self._out.write(f"{line.build}: {line.text}\n" if line.build else f"{line.text}\n")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing to pause."""
        yield

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""
