"""Waiting a while in a thread that is not the run's own."""

from __future__ import annotations

import threading

from packerpy.contracts import Cancellation


def pause(cancellation: Cancellation, seconds: float) -> None:
    """Wait; a cancel wakes it at once.

    :raises CancelledError: there was one.
    """
    awake = threading.Event()
    with cancellation.calling(awake.set):
        awake.wait(seconds)
    cancellation.check()
