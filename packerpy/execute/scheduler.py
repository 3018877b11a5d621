"""Runs units in threads, as many at once as the host's resources allow, in the order of their needs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence

import attrs

from packerpy.errors import CancelledError, PrerequisiteError
from packerpy.execute.tokens import Tokens
from packerpy.values import Resources


@attrs.frozen(kw_only=True, eq=False)
class Unit:
    """Work for one thread: the tasks that hand one machine on, a test, a post-processing chain, a delivery.

    :ivar id: unique among the units.
    :ivar build: the build it belongs to.
    :ivar needs: ids of units that must end well first.
    :ivar resources: taken from the host while it runs.
    :ivar platform: for per-platform limits.
    :ivar work: what to do; an exception is a failure.
    :ivar tasks: ids of what it does.
    """

    id: str
    build: str
    needs: tuple[str, ...]
    work: Callable[[], None]
    resources: Resources = attrs.field(factory=Resources)
    platform: str = ""
    tasks: tuple[str, ...] = ()


Ended = Callable[[Unit, BaseException | None], None]
"""Told, in the scheduler's thread, how a unit ended: ``None`` when well."""


class Scheduler:
    """One run over a set of units."""

    def __init__(self, units: Sequence[Unit], tokens: Tokens, ended: Ended, interrupted: Callable[[], None]) -> None:
        self._waiting = {unit.id: unit for unit in units}
        self._running: dict[str, Unit] = {}
        self._outcome: dict[str, BaseException | None] = {}
        self._finished: queue.SimpleQueue[tuple[Unit, BaseException | None]] = queue.SimpleQueue()
        self._tokens, self._ended, self._interrupted = tokens, ended, interrupted
        self._stopping = False

    def run(self) -> Mapping[str, BaseException | None]:
        """Run all; answers how each unit ended.

        A ``KeyboardInterrupt`` in the calling thread starts no further unit and calls ``interrupted``, which asks the
        running ones to stop; what ``interrupted`` raises ends the wait.
        """
        while self._waiting or self._running:
            try:
                self._abort_hopeless()
                self._start_ready()
                if self._running:
                    self._end(*self._finished.get())
            except KeyboardInterrupt:
                self._stopping = True
                try:
                    self._interrupted()
                except KeyboardInterrupt:  # the second one came while the first was being handled
                    self._interrupted()
        return self._outcome

    def stop(self) -> None:
        """Start nothing further."""
        self._stopping = True

    def _abort_hopeless(self) -> None:
        """Units whose prerequisite failed, or that come too late, end without having begun."""
        again = True
        while again:
            again = False
            for unit in list(self._waiting.values()):
                reason = self._hopeless(unit)
                if reason is not None:
                    del self._waiting[unit.id]
                    self._record(unit, reason)
                    again = True

    def _hopeless(self, unit: Unit) -> BaseException | None:
        for need in unit.needs:
            failure = self._outcome.get(need)
            if failure is not None:
                if isinstance(failure, CancelledError) and self._stopping:
                    return failure
                origin = getattr(failure, "task", "") or need
                error = PrerequisiteError(f"not run, because {origin} failed")
                error.task = origin
                return error
        return CancelledError("cancelled") if self._stopping else None

    def _start_ready(self) -> None:
        for unit in list(self._waiting.values()):
            ready = all(need in self._outcome for need in unit.needs)
            if ready and self._tokens.take(unit.id, unit.platform, unit.resources):
                del self._waiting[unit.id]
                self._running[unit.id] = unit
                threading.Thread(target=self._work, args=(unit,), name=f"packerpy {unit.id}", daemon=True).start()

    def _work(self, unit: Unit) -> None:
        failure: BaseException | None = None
        try:
            unit.work()
        except BaseException as error:  # noqa: BLE001  whatever it is, the scheduler must hear of it
            failure = error
        self._finished.put((unit, failure))

    def _end(self, unit: Unit, failure: BaseException | None) -> None:
        del self._running[unit.id]
        self._tokens.give_back(unit.id)
        self._record(unit, failure)

    def _record(self, unit: Unit, failure: BaseException | None) -> None:
        self._outcome[unit.id] = failure
        self._ended(unit, failure)
