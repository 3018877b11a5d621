"""The engine: turns a plan into units, runs them, and answers what was delivered."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import attrs

from packerpy import events
from packerpy.artifacts.folders import scratch_folder
from packerpy.artifacts.history import History
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.layers import LayerStore, evict
from packerpy.artifacts.record import Record
from packerpy.artifacts.results import ResultStore
from packerpy.artifacts.secrets import read_secret
from packerpy.declare import Output
from packerpy.errors import BuildFailures, CancelledError, PackerpyError, PlanError, PrerequisiteError, ValidationError
from packerpy.execute.asking import Ask, AskStop
from packerpy.execute.bus import Bus
from packerpy.execute.cancellation import CancelToken
from packerpy.execute.deliver import deliver, lasts
from packerpy.execute.elsewhere import drop_old, remove_dropped
from packerpy.execute.finished import Finished
from packerpy.execute.output_folder import occupied
from packerpy.execute.perform import OnError, Performer
from packerpy.execute.result import BuildResult
from packerpy.execute.run import LiveRun
from packerpy.execute.scheduler import Scheduler, Unit
from packerpy.execute.scope import Scope
from packerpy.execute.tokens import Capacity, Tokens
from packerpy.execute.units import Units
from packerpy.execute.work import Work
from packerpy.kit.process import kill_all
from packerpy.plan import Plan, PlannedBuild, Task, TaskKind
from packerpy.values import Artifact, Problem


@attrs.frozen(kw_only=True)
class Settings:
    """How to run a plan.

    :ivar force: replace output folders that exist.
    :ivar on_error: what becomes of a build's things when it fails.
    :ivar ask: asked when ``on_error`` is ``ask``.
    :ivar stop: asked at a breakpoint.
    :ivar debug: asked before each task.
    :ivar capacity: what may be taken of the host at once.
    :ivar cache_size: bytes that saved machines and results may take; those used longest ago go first.
    """

    force: bool
    on_error: OnError
    ask: Ask | None
    stop: AskStop | None
    debug: AskStop | None
    capacity: Capacity
    cache_size: int


class Engine:
    """One run of one plan.

    :param folders: build → its output folder.
    :param cache: packerpy's cache folder.
    """

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        *,
        folders: Mapping[str, Path],
        cache: Path,
        run_id: str,
        bus: Bus,
        journal: Journal,
        record: Record,
        history: History,
        cancel: CancelToken,
    ) -> None:
        self._plan, self._settings, self._id = plan, settings, run_id
        self._folders, self._cache = folders, cache
        self._bus, self._journal, self._record, self._history = bus, journal, record, history
        self._cancel, self._force = cancel, CancelToken()
        self._performer = Performer(bus, settings.on_error, settings.ask, self._done, settings.debug)
        self._layers, self._results = LayerStore(cache / "layers"), ResultStore(cache / "results")
        self._finished = Finished(self._results)
        self._units = Units(plan, Work(self._performer, self._layers, self._finished), self._deliver)
        self._scopes: dict[str, Scope] = {}
        self._artifacts: dict[str, tuple[Artifact, ...]] = {}
        self._stored: dict[str, tuple[Artifact, ...]] = {}
        self._pins = ExitStack()
        self._failures: list[PackerpyError] = []
        self._scratch = scratch_folder()
        self._started = time.time()

    def run(self) -> BuildResult:
        """Carry out the plan.

        :raises ValidationError: the host or a platform cannot do it; found before anything was made.
        :raises PackerpyError: one build failed.
        :raises BuildFailures: several did.
        :raises CancelledError: the user asked to stop.
        """
        start = time.monotonic()
        with self._pins:
            self._pin()
            todo = [build for build in self._plan.builds.values() if not build.reused]
            self._preflight(todo)
            self._tell_plan()
            self._carry_out(todo)
        self._make_room()
        seconds = time.monotonic() - start
        self._tell_end(seconds)
        self._raise_failures()
        reused = tuple(build.name for build in self._plan.builds.values() if build.reused)
        kept = [name for name, build in self._plan.builds.items() if not lasts(build)]
        artifacts = {name: self._artifacts.get(name, ()) for name in kept}
        return BuildResult(run=self._id, artifacts=artifacts, reused=reused, seconds=seconds, plan=self._plan)

    def _make_room(self) -> None:
        """Drop what the cache has too much of, and what dropped layers held on platforms."""
        drop_old(self._layers)
        evict((self._layers, self._results.entries), self._settings.cache_size)
        for left in remove_dropped(self._layers, self._journal, self._cache):
            self._bus.emit(events.Undone(build=left.build, title=left.title, error=left.error))

    def _pin(self) -> None:
        """Keep in place what the plan re-uses.

        :raises Outdated: something has gone since the plan was made.
        """
        kinds = (TaskKind.CAPTURE, TaskKind.TEST, TaskKind.POST)
        for build in self._plan.builds.values():
            if not build.reused:
                self._finished.pin((task for task in build.of(*kinds) if task.action == "reuse"), self._pins)
            elif build.image.keep == "cache" and build.artifacts:
                self._finished.pin((build.delivery,), self._pins)
            if build.artifacts:
                self._artifacts[build.name] = build.artifacts
                self._prefer_stored(build)

    def _prefer_stored(self, build: PlannedBuild) -> None:
        """What stands on a build takes its image from the store: there it stays where it is, whatever is delivered."""
        (capture,) = build.of(TaskKind.CAPTURE)
        if build.referred:
            self._stored[build.name] = self._finished.pinned(capture, self._pins) or ()

    def _carry_out(self, todo: Iterable[PlannedBuild]) -> None:
        for build in todo:
            folder = self._folders[build.name]
            self._scopes[build.name] = Scope(build, folder, self._staging(build.name), new_run=self._new_run)
        units = [unit for scope in self._scopes.values() for unit in self._units.of(scope)]
        for unit in units:
            self._scopes[unit.build].expect_unit()
        lasting = [scope for scope in self._scopes.values() if lasts(scope.planned)]
        for scope in lasting:
            scope.expect_unit()
        scheduler = Scheduler(units, Tokens(self._settings.capacity), self._unit_ended, self._interrupted)
        try:
            with self._cancel.calling(scheduler.stop):
                scheduler.run()
        finally:
            for scope in lasting:
                self._scope_ended(scope)

    def _done(self, task: Task, seconds: float) -> None:
        """Write down that a task was done."""
        self._history.save(self._folders[task.build], task, seconds)

    def _preflight(self, todo: list[PlannedBuild]) -> None:
        """Ask everything that can be known before anything is made."""
        problems: list[Problem] = []
        for build in todo:
            if build.image.keep == "output":
                problems += occupied(build.name, self._folders[build.name], force=self._settings.force)
            run = self._new_run(build.name, "preflight", self._staging(build.name))
            run.enter(build.tasks[0].id)
            try:
                problems += (problem.within(build.name) for problem in build.source.load().preflight(run))
            finally:
                run.close(failed=True)
        if problems:
            raise ValidationError(dict.fromkeys(problems))

    def _tell_plan(self) -> None:
        tasks = tuple((task.id, task.title, task.action, task.reason, task.seconds) for task in self._plan.tasks)
        self._bus.emit(events.RunStarted(run=self._id, tasks=tasks, seconds=self._plan.seconds))
        for task in self._plan.tasks:
            if task.action == "reuse":
                self._bus.emit(events.TaskFinished(build=task.build, task=task.id, status="reused"))

    def _tell_end(self, seconds: float) -> None:
        status: events.Status = "cancelled" if self._cancel.requested else "failed" if self._failures else "done"
        delivered = tuple(
            (name, str(next(iter(artifact.files), artifact.id)))
            for name, artifacts in self._artifacts.items()
            for artifact in artifacts
        )
        self._bus.emit(events.RunFinished(status=status, seconds=seconds, artifacts=delivered))

    def _raise_failures(self) -> None:
        if self._cancel.requested:
            notes = [note for failure in self._failures for note in getattr(failure, "__notes__", ())]
            raise CancelledError(
                "cancelled; everything that was made has been undone" if not notes else "cancelled",
                details="\n".join(notes) or None,
            )
        if len(self._failures) == 1:
            raise self._failures[0]
        if self._failures:
            raise BuildFailures(f"{len(self._failures)} builds failed", self._failures)

    def _deliver(self, scope: Scope) -> None:
        task = scope.planned.delivery
        run = scope.run("deliver")
        try:
            scope.delivered = self._performer.perform(
                run, task, lambda: deliver(run, scope, self._record, self._finished, self._pins)
            )
            self._artifacts[scope.planned.name] = scope.delivered
            self._prefer_stored(scope.planned)
        finally:
            run.close(failed=scope.delivered is None)

    def _unit_ended(self, unit: Unit, failure: BaseException | None) -> None:
        """In the scheduler's thread: note a failure, let go of what a finished build shared."""
        if failure is not None:
            self._note(unit, failure)
        self._scope_ended(self._scopes[unit.build])

    def _scope_ended(self, scope: Scope) -> None:
        """One of those that keep a scope open does so no more."""
        name = scope.planned.name
        for what in scope.unit_ended(undo=name not in self._performer.aborted):
            self._bus.emit(events.Undone(build=name, title=what, error="left behind"))

    def _note(self, unit: Unit, failure: BaseException) -> None:
        if isinstance(failure, PrerequisiteError):
            for task in unit.tasks:
                self._bus.emit(events.TaskFinished(build=unit.build, task=task, status="aborted", error=failure.brief))
        elif isinstance(failure, PackerpyError):
            asked_for = isinstance(failure, CancelledError) and self._cancel.requested
            if not asked_for or getattr(failure, "__notes__", None):
                self._failures.append(failure)
        else:
            wrapped = PackerpyError(f"{unit.id}: {type(failure).__name__}: {failure}")
            wrapped.__cause__ = failure
            self._failures.append(wrapped)

    def _interrupted(self) -> None:
        """Ctrl-C: once asks everybody to stop, twice kills every process and gives up."""
        if not self._cancel.requested:
            self._cancel.request()
            self._bus.emit(events.CancelRequested())
            return
        self._bus.emit(events.CancelRequested(immediate=True))
        self._force.request()
        kill_all()
        raise CancelledError(
            "stopped at once; nothing more was undone", resolution="run `packerpy clean` to remove what was left"
        )

    def _artifact(self, output: Output) -> Artifact:
        name = self._plan.output_of[str(output)]
        for artifact in (*self._stored.get(name, ()), *self._artifacts[name]):
            if output.name in artifact.outputs:
                return artifact
        known = sorted({key for artifact in self._artifacts[name] for key in artifact.outputs})
        raise PlanError(
            f"{output.image_name} has no output {output.name!r}", resolution=f"it has: {', '.join(known) or 'none'}"
        )

    def _staging(self, build: str) -> Path:
        folder = self._folders[build]
        return folder.with_name(f".{folder.name}.{self._id}.partial")

    def _new_run(self, name: str, part: str, staging: Path) -> LiveRun:
        number = list(self._plan.builds).index(name)
        return LiveRun(
            run_id=self._id,
            name=name,
            workdir=self._scratch / f"packerpy-{self._id}-{number}-{part}",
            staging=staging,
            cache=self._cache,
            token=self._cancel,
            force=self._force,
            bus=self._bus,
            journal=self._journal,
            reveal=read_secret,
            artifact=self._artifact,
            build_facts=lambda: attrs.evolve(self._plan.builds[name].facts(), started=self._started),
            stop=self._settings.stop,
            lasting=self._settings.on_error != "cleanup",
        )
