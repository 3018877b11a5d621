"""Performs one task: its events, its errors, and what the user wants when it fails."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Literal, TypeVar

from packerpy import events
from packerpy.errors import CancelledError, PackerpyError, PluginError
from packerpy.execute.asking import Answer, Ask, AskStop, Failure, Stop
from packerpy.execute.bus import Bus
from packerpy.execute.run import LiveRun
from packerpy.plan import Task, TaskKind

T = TypeVar("T")

OnError = Literal["cleanup", "abort", "ask", "run-cleanup-provisioner"]

_RETRYABLE = (TaskKind.STEP, TaskKind.TEST, TaskKind.POST)


class Performer:
    """Performs tasks for one engine.

    :param debug: asked before each task; ``None`` is nobody.
    :param done: told of each task that was done, and how many seconds it took.
    :ivar aborted: builds whose user chose to leave everything as it is.
    """

    def __init__(
        self,
        bus: Bus,
        on_error: OnError,
        ask: Ask | None,
        done: Callable[[Task, float], None],
        debug: AskStop | None = None,
    ) -> None:
        self._bus, self._on_error, self._ask, self._done, self._debug = bus, on_error, ask, done, debug
        self.aborted: set[str] = set()

    def perform(self, run: LiveRun, task: Task, call: Callable[[], T]) -> T:
        """Call ``call`` as the task; whatever it raises comes out as one of our errors."""
        while True:
            run.enter(task.id)
            run.cancellation.check()
            self._stop_before(run, task)
            self._bus.emit(events.TaskStarted(build=task.build, task=task.id, title=task.title))
            start = time.monotonic()
            try:
                result = call()
                run.flush()
            except Exception as error:
                run.flush()
                failure = self._ours(run, task, error)
                failure.task = failure.task or task.id
                self._hide_secrets(failure)
                self._finished(task, start, "cancelled" if isinstance(failure, CancelledError) else "failed", failure)
                if self._wants_retry(run, task, failure):
                    continue
                if failure is error:
                    raise
                raise failure from error
            self._done(task, time.monotonic() - start)
            self._finished(task, start, "done", None)
            return result

    def aside(self, run: LiveRun, name: str, title: str, call: Callable[[], None]) -> None:
        """Call ``call`` as something that is told like a task and is none of the plan."""
        run.enter(name)
        self._bus.emit(events.TaskStarted(build=run.name, task=name, title=title))
        start, failure = time.monotonic(), ""
        try:
            call()
        except Exception as error:
            failure = str(error) or type(error).__name__
            raise
        finally:
            run.flush()
            status: events.Status = "failed" if failure else "done"
            took = time.monotonic() - start
            self._bus.emit(events.TaskFinished(build=run.name, task=name, status=status, seconds=took, error=failure))

    def cleans_up(self, build: str) -> bool:
        """Whether the ``error_cleanup`` steps of a failed build run."""
        return build not in self.aborted or self._on_error == "run-cleanup-provisioner"

    def _stop_before(self, run: LiveRun, task: Task) -> None:
        """Stepping: wait until somebody says to go on."""
        if self._debug is None:
            return
        stop = Stop(build=task.build, task=task.id, title=task.title, machine=run.machine, reach=run.reach)
        if not self._debug(stop):
            run.cancellation.request()
            run.cancellation.check()

    def _ours(self, run: LiveRun, task: Task, error: Exception) -> PackerpyError:
        if run.cancellation.requested and not isinstance(error, CancelledError):
            return CancelledError("cancelled")
        if isinstance(error, PackerpyError):
            return error
        kind = getattr(task.spec, "kind", task.kind.value)
        return PluginError(
            f"{task.id}: {type(error).__name__}: {error}",
            details="".join(traceback.format_exception(error)).rstrip(),
            resolution=f"this is a bug of the plug-in {kind!r}, please report it with the lines above",
        )

    def _hide_secrets(self, error: PackerpyError) -> None:
        """An error often quotes what a program printed last."""
        mask = self._bus.masker
        error.brief = mask(error.brief)
        error.details = mask(error.details) if error.details else error.details
        error.args = (error.brief,)

    def _finished(self, task: Task, start: float, status: events.Status, error: PackerpyError | None) -> None:
        seconds = time.monotonic() - start
        text = str(error) if error is not None else ""
        self._bus.emit(events.TaskFinished(build=task.build, task=task.id, status=status, seconds=seconds, error=text))

    def _wants_retry(self, run: LiveRun, task: Task, error: PackerpyError) -> bool:
        if isinstance(error, CancelledError):
            return False
        answer: Answer = "abort" if self._on_error in ("abort", "run-cleanup-provisioner") else "clean"
        if self._on_error == "ask" and self._ask is not None:
            can_retry = task.kind in _RETRYABLE
            failure = Failure(
                build=task.build,
                task=task.id,
                error=error,
                can_retry=can_retry,
                machine=run.machine,
                reach=run.reach,
            )
            answer = self._ask(failure)
            if answer == "retry" and can_retry:
                return True
        if answer == "abort":
            self.aborted.add(task.build)
        return False
