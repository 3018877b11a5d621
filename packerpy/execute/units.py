"""From the tasks of a build to units: what one thread does from its beginning to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from packerpy.contracts import HasResources
from packerpy.execute.layered import machine_tasks
from packerpy.execute.scheduler import Unit
from packerpy.execute.scope import Scope
from packerpy.execute.work import Work
from packerpy.plan import Plan, PlannedBuild, Task, TaskKind
from packerpy.values import Resources

_MACHINE = (TaskKind.BOOT, TaskKind.STEP, TaskKind.CAPTURE)


class Units:
    """Makes the units of all builds of a plan.

    :param deliver: the work of a build's last unit.
    """

    def __init__(self, plan: Plan, work: Work, deliver: Callable[[Scope], None]) -> None:
        self._plan, self._work, self._deliver = plan, work, deliver
        self._makers: dict[str, str] = {}
        self._wanted: Counter[str | None] = Counter()
        for build in plan.builds.values():
            if build.layered and not build.reused:
                self._wanted.update(task.key for task in build.of(TaskKind.BOOT, TaskKind.STEP) if task.key)

    def of(self, scope: Scope) -> Iterator[Unit]:
        """Of one build: the machine's, a test, one a post-processing chain, the delivery."""
        planned = scope.planned
        name = planned.name
        machine = list(self._until_captured(scope))
        yield from machine
        before = machine[-1].id
        for test in planned.of(TaskKind.TEST):
            if test.action == "run":
                spec, needs = test.spec[0], (before, *self._others(planned, (test,)))
                before = test.id
                yield Unit(
                    id=before,
                    build=name,
                    needs=needs,
                    work=partial(self._work.test, scope),
                    resources=_resources(spec),
                    platform=spec.kind,
                    tasks=(test.id,),
                )
        ends = [before]
        for row, tasks in chains(planned).items():
            ends.append(f"{name}/post-{row}")
            needs = (before, *self._others(planned, tasks))
            work = partial(self._work.post, scope, row, tasks)
            yield Unit(id=ends[-1], build=name, needs=needs, work=work, tasks=_ids(tasks))
        delivery, work = planned.delivery.id, partial(self._deliver, scope)
        yield Unit(id=delivery, build=name, needs=tuple(ends), work=work, tasks=(delivery,))

    def _until_captured(self, scope: Scope) -> Iterator[Unit]:
        planned = scope.planned
        (capture,) = planned.of(TaskKind.CAPTURE)
        if capture.action == "reuse":
            yield Unit(
                id=capture.id,
                build=planned.name,
                needs=(),
                work=partial(self._work.recall, scope, capture),
                tasks=(capture.id,),
            )
        elif planned.layered:
            yield from self._layers(scope)
        else:
            # The machine is handed on as it is, from boot to capture.
            tasks = planned.of(*_MACHINE)
            yield self._on_machine(scope, f"{planned.name}/machine", tasks, (), partial(self._work.machine, scope))

    def _layers(self, scope: Scope) -> Iterator[Unit]:
        """One unit a stretch of tasks that go on from one another, up to where other builds branch off."""
        chain, rest = machine_tasks(scope)
        before: tuple[str, ...] = ()
        first = len(chain)
        for number, task in enumerate(chain):
            key = task.key or ""
            if key in self._makers:
                before = (self._makers[key],)
            elif task.action == "run":
                first = min(first, number)
                following = chain[number + 1].key if number + 1 < len(chain) else None
                if self._wanted[key] > max(1, self._wanted[following]):
                    yield self._stretch(scope, chain[: number + 1], first, (), before)
                    before, first = (task.id,), len(chain)
        yield self._stretch(scope, chain, first, rest, before)

    def _stretch(
        self, scope: Scope, chain: tuple[Task, ...], first: int, rest: tuple[Task, ...], before: tuple[str, ...]
    ) -> Unit:
        tasks = (*chain[first:], *rest)
        self._makers |= {task.key: tasks[-1].id for task in chain[first:] if task.key is not None}
        work = partial(self._work.layers, scope, chain, first, rest)
        return self._on_machine(scope, tasks[-1].id, tasks, before, work)

    def _on_machine(
        self, scope: Scope, unit: str, tasks: tuple[Task, ...], needs: tuple[str, ...], work: Callable[[], None]
    ) -> Unit:
        planned = scope.planned
        return Unit(
            id=unit,
            build=planned.name,
            needs=(*needs, *self._others(planned, tasks)),
            work=work,
            resources=_resources(planned.source),
            platform=planned.source.kind,
            tasks=_ids(tasks),
        )

    def _others(self, planned: PlannedBuild, tasks: tuple[Task, ...]) -> tuple[str, ...]:
        """Deliveries of other builds that some tasks need and that are not there yet."""
        needs = {need for task in tasks for need in task.needs}
        own = f"{planned.name}/"
        return tuple(sorted(n for n in needs if not n.startswith(own) and self._plan.task(n).action == "run"))


def chains(planned: PlannedBuild) -> dict[int, tuple[Task, ...]]:
    """Row → tasks of each post-processing chain, by the numbers in their ids (``post-2.1``)."""
    rows: dict[int, list[Task]] = {}
    for task in planned.of(TaskKind.POST):
        row = int(task.id.rpartition("/post-")[2].partition(".")[0])
        rows.setdefault(row, []).append(task)
    return {row: tuple(tasks) for row, tasks in rows.items()}


def _ids(tasks: Iterable[Task]) -> tuple[str, ...]:
    return tuple(task.id for task in tasks)


def _resources(spec: object) -> Resources:
    return spec.resources() if isinstance(spec, HasResources) else Resources()
