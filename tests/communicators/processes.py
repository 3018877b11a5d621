"""How tests watch processes that they did not start themselves."""

from __future__ import annotations

import os
import select


def await_death(pid: int, seconds: float = 30) -> None:
    """A kill is carried out a moment after it was ordered; a process that is only waited for counts as gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], seconds)[0], f"{pid} is still there"
    finally:
        os.close(descriptor)
