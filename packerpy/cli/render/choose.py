"""Which renderer."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from packerpy.events import Event

Look = Literal["auto", "live", "plain", "json"]


class Renderer(AbstractContextManager["Renderer"], Protocol):
    """Shows events; a context manager, for some take the terminal over."""

    def __call__(self, event: Event, /) -> None:
        """Show one."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to somebody else, to ask a question."""
        ...


def choose(look: Look) -> Renderer:
    """The renderer wanted; ``auto`` is live progress on a terminal and plain lines anywhere else."""
    if look == "json":
        from packerpy.cli.render.jsonl import JsonLines

        return JsonLines(sys.stdout)
    if look == "live" or (look == "auto" and sys.stdout.isatty()):
        from packerpy.cli.render.live import Live

        return Live()
    from packerpy.cli.render.plain import Plain

    return Plain(sys.stdout)
