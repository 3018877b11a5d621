"""What the units do: a machine from boot to capture, a test, a chain of post-processors, a delivery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from packerpy.artifacts.layers import LayerStore
from packerpy.artifacts.results import Result
from packerpy.contracts import Communicator, PostProcessor, Source, SourceSpec, TestsArtifacts
from packerpy.errors import PlanError, SourceError
from packerpy.execute.error_cleanup import cleaned_up
from packerpy.execute.finished import Finished
from packerpy.execute.layered import LayeredWork
from packerpy.execute.machine import apply_step, connected, left_running
from packerpy.execute.perform import Performer
from packerpy.execute.ready import ready
from packerpy.execute.run import LiveRun
from packerpy.execute.scope import Link, Scope
from packerpy.plan import Task, TaskKind
from packerpy.values import Artifact, Machine, Processed


class Work:
    """The units' work, for one engine."""

    def __init__(self, performer: Performer, layers: LayerStore, finished: Finished) -> None:
        self._performer, self._finished = performer, finished
        self._layered = LayeredWork(performer, layers)

    def machine(self, scope: Scope) -> None:
        """Boot, steps, capture."""
        scope.open()
        planned = scope.planned
        boot, *steps, capture = planned.of(TaskKind.BOOT, TaskKind.STEP, TaskKind.CAPTURE)
        with self._run(scope, "machine") as run, cleaned_up(self._performer, run, planned):
            source = planned.source.load()
            machine, channel = self._performer.perform(run, boot, lambda: _boot(run, source))
            try:
                for task in steps:
                    self._step(run, task, source, machine, channel)
                scope.captured = self._performer.perform(run, capture, lambda: source.capture(run, machine, channel))
                self._finished.keep(run, capture, Result(artifacts=(scope.captured,)))
            finally:
                channel.close()

    def recall(self, scope: Scope, capture: Task) -> None:
        """What was captured in an earlier build."""
        scope.open()
        with self._run(scope, "capture") as run:
            (scope.captured,) = self._finished.get(run, capture).artifacts

    def _step(self, run: LiveRun, task: Task, source: Source, machine: Machine, channel: Communicator) -> None:
        self._performer.perform(run, task, lambda: apply_step(run, task.spec, source, machine, channel))

    def layers(self, scope: Scope, chain: Sequence[Task], first: int, rest: Sequence[Task]) -> None:
        """A machine that is saved after each task; see :meth:`packerpy.execute.layered.LayeredWork.perform`."""
        scope.open()
        part = (rest or chain)[-1].id.rpartition("/")[2]
        with self._run(scope, part) as run, cleaned_up(self._performer, run, scope.planned):
            captured = self._layered.perform(run, scope, chain, first, rest)
            if captured is not None:
                scope.captured = captured
                self._finished.keep(run, rest[-1], Result(artifacts=(captured,)))

    def test(self, scope: Scope) -> None:
        """Boot a throw-away copy of what was captured and run the checks."""
        (task,) = scope.planned.of(TaskKind.TEST)
        spec, tests = task.spec
        artifact = _captured(scope)
        with self._run(scope, "test") as run:
            self._performer.perform(run, task, lambda: _test(run, spec, tests, artifact))
            self._finished.keep(run, task, Result())

    def post(self, scope: Scope, row: int, tasks: tuple[Task, ...]) -> None:
        """One chain of post-processors."""
        artifact = _captured(scope)
        links = scope.chains.setdefault(row, [])
        with self._run(scope, f"post{row}") as run:
            for task in tasks:
                result = self._processed(run, task, artifact)
                (artifact,) = result.artifacts
                links.append(Link(artifact, keep_input=result.keep_input))

    def _processed(self, run: LiveRun, task: Task, artifact: Artifact) -> Result:
        """What a post-processor makes of an artifact, or made of it in an earlier build."""
        if task.action == "reuse":
            return self._finished.get(run, task)
        processed = self._performer.perform(run, task, partial(_process, run, task, artifact))
        result = Result(artifacts=(processed.artifact,), keep_input=processed.needs_input or _wants_input(task))
        self._finished.keep(run, task, result)
        return result

    @contextmanager
    def _run(self, scope: Scope, part: str) -> Iterator[LiveRun]:
        """A run for a unit; at its end all is undone that must be; what could not be stands in the error's notes."""
        run = scope.run(part)
        try:
            yield run
        except BaseException as error:
            aborted = scope.planned.name in self._performer.aborted
            way = left_running(run) if aborted else None
            for what in run.close(failed=True, undo=not aborted):
                error.add_note(f"left behind: {what}")
            if way is not None:
                error.add_note(way)
            raise
        left = run.close(failed=False)
        if left:
            raise SourceError(
                "not everything could be undone", details="\n".join(left), resolution="run `packerpy clean`"
            )


def _boot(run: LiveRun, source: Source) -> tuple[Machine, Communicator]:
    machine = source.boot(run)
    return machine, connected(run, source, machine)


def _test(run: LiveRun, spec: SourceSpec, tests: tuple[object, ...], artifact: Artifact) -> None:
    if not isinstance(spec, TestsArtifacts):  # validation has reported it
        raise PlanError(f"{spec.kind} cannot boot a finished image")
    source = spec.for_test(artifact).load()
    machine, channel = _boot(run, source)
    try:
        for test in tests:
            apply_step(run, test, source, machine, channel)
    finally:
        channel.close()


def _process(run: LiveRun, task: Task, artifact: Artifact) -> Processed:
    worker: PostProcessor = ready(run, task.spec, None).load()
    return worker.process(run, artifact)


def _captured(scope: Scope) -> Artifact:
    if scope.captured is None:
        raise PlanError(f"{scope.planned.name} was not captured")
    return scope.captured


def _wants_input(task: Task) -> bool:
    """What the declaration says of its input; without a word, what its class says; without that, keep."""
    said: bool | None = getattr(task.spec, "keep_input", None)
    return said if said is not None else bool(task.spec.keeps_input)
