"""The library's own log: structlog, loaded only when there is something to log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_set_up: list[Callable[[], None]] = []


def when_first_used(set_up: Callable[[], None]) -> None:
    """For programs: configure structlog by ``set_up`` once there is something to log, unless that was done before."""
    _set_up[:] = [set_up]


def logger() -> Any:
    """The logger ``packerpy``."""
    import structlog

    if _set_up and not structlog.is_configured():
        _set_up[0]()
    return structlog.get_logger("packerpy")
