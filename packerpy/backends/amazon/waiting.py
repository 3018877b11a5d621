"""Looking again and again until a thing at Amazon is as it should be."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from packerpy.backends.amazon.errors import NotBecome, NotBecomeInTime
from packerpy.contracts import Run


@attrs.frozen
class Seen:
    """How a thing stood at one look.

    :ivar verdict: ``success`` or ``failure``; anything else while it is on its way.
    :ivar state: Amazon's word for it; empty when the thing is not there yet.
    :ivar reason: Amazon's.
    :ivar percent: how far it is.
    """

    verdict: str = ""
    state: str = ""
    reason: str = ""
    percent: float | None = None


def until(run: Run, what: str, look: Callable[[], Seen], *, wanted: str, longest: float, limit: float) -> None:
    """Wait until a thing is as it should be; a cancel ends it at once.

    :param what: for people.
    :param wanted: for people.
    :param longest: seconds; the pause grows from 0.5 s to this.
    :param limit: seconds in all.
    :raises NotBecome: it went into a state from which there is no way there.
    :raises NotBecomeInTime: it did not become so in time.
    """
    start, pause, told = time.monotonic(), 0.5, ""
    while True:
        seen = look()
        if seen.verdict == "success":
            return
        if seen.verdict == "failure":
            raise NotBecome(what, wanted, seen.state or "not there", seen.reason)
        if seen.percent is not None:
            run.progress(seen.percent, 100.0, "%")
        if seen.state and seen.state != told:
            run.say(f"{what} is {seen.state}")
            told = seen.state
        waited = time.monotonic() - start
        if waited >= limit:
            raise NotBecomeInTime(what, wanted, seen.state, limit)
        run.wait(min(pause, limit - waited))
        pause = min(pause * 1.5, longest)
