"""The planner: from a graph of builds to a graph of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import attrs

from packerpy.contracts import Downloads, offers
from packerpy.declare import Output
from packerpy.errors import PlanError
from packerpy.kit.garbage import kept
from packerpy.plan.again import Again
from packerpy.plan.drafts import Draft, Drafter
from packerpy.plan.keys import paths_read
from packerpy.plan.known import Known
from packerpy.plan.readings import data_facts, reads
from packerpy.plan.reuse import MACHINE, Decision, Reuse, changes
from packerpy.plan.select import select
from packerpy.plan.tasks import Plan, PlannedBuild, Task, TaskKind
from packerpy.validate import Build, Graph
from packerpy.values import Artifact, BuildFacts, TaskFacts

_REASONS_SHOWN = 3


def plan(
    graph: Graph, known: Known, *, only: Iterable[str] = (), except_: Iterable[str] = (), again: Again | None = None
) -> Plan:
    """What has to be done to have the selected builds delivered.

    :param graph: without problems (see :func:`packerpy.validate.validate`).
    :param known: what there is already.
    :param again: what is done again although it is there.
    :raises PlanError: the selection fits nothing, or what it asks for cannot be done.
    """
    with kept():
        return _Planner(graph, known, again or Again()).plan(select(graph.needs, only=only, except_=except_))


class _Planner:
    def __init__(self, graph: Graph, known: Known, again: Again) -> None:
        self._graph, self._known, self._again = graph, known, again
        self._planned: dict[str, PlannedBuild] = {}
        self._drafter = Drafter(known, self._output_key, lambda output: self._deliverer(output).delivery.id)
        self._output_of: dict[str, str] = {}
        self._makers: dict[str, str] = {}

    def plan(self, selected: Mapping[str, str]) -> Plan:
        referred = {name for build in selected for name in self._graph.needs[build]}
        wanted: list[tuple[str, Sequence[Draft]]] = []
        for name, build in self._graph.builds.items():
            if name in selected:
                drafts = tuple(self._drafter.chain(build))
                if not selected[name]:
                    wanted.append((name, drafts))
                self._planned[name] = self._build(build, drafts, selected[name], referred=name in referred)
        self._again.check(wanted)
        builds = _without_what_nobody_needs(self._planned)
        return Plan(builds=builds, reads=reads(self._known.data), output_of=self._output_of)

    def _output_key(self, output: Output) -> str | None:
        return self._deliverer(output).delivery.key

    def _deliverer(self, output: Output) -> PlannedBuild:
        build = self._graph.build_of(output)
        if build is None:  # validation has reported it
            raise KeyError(str(output))
        self._output_of[str(output)] = build.name
        return self._planned[build.name]

    def _build(self, build: Build, drafts: Sequence[Draft], pulled_in_by: str, *, referred: bool) -> PlannedBuild:
        first = len(drafts) if pulled_in_by else self._again.first(build.name, drafts)
        artifacts = self._delivered(build, drafts[-1].key) if first == len(drafts) else None
        layered = build.name in self._known.fingerprints
        if artifacts is not None:
            decisions: Sequence[Decision] = [Decision("reuse", "unchanged")] * len(drafts)
        else:
            reuse = Reuse(
                build=build.name,
                drafts=drafts,
                first=first,
                layered=layered,
                known=self._known,
                made_by=self._makers.setdefault,
            )
            decisions = reuse.decide()
        if self._again.post and not pulled_in_by:
            _must_only_post(build.name, drafts, decisions)
        note = f"; needed by {pulled_in_by}" if pulled_in_by else ""
        return PlannedBuild(
            name=build.name,
            image=build.image,
            source=build.source,
            tasks=tuple(self._tasks(build, drafts, decisions, first, note)),
            layered=layered,
            unkeyed=next((draft.unkeyed for draft in drafts if draft.unkeyed), ""),
            artifacts=artifacts,
            facts=partial(self._facts, build, drafts),
            referred=referred,
        )

    def _delivered(self, build: Build, key: str | None) -> tuple[Artifact, ...] | None:
        """What an earlier run delivered, if it is still there."""
        if key is None or build.image.keep == "no":
            return None
        return (self._known.built if build.image.keep == "output" else self._known.results).get(key)

    def _tasks(
        self, build: Build, drafts: Sequence[Draft], decisions: Sequence[Decision], first: int, note: str
    ) -> Iterable[Task]:
        """The tasks; the first that runs has the reason, those after it follow."""
        acts = [number for number, decision in enumerate(decisions) if decision.action == "run"]
        for number, (draft, decision) in enumerate(zip(drafts, decisions, strict=True)):
            reason = decision.reason
            if number in acts[:1]:
                reason = "asked for" if number >= first else self._why(build, drafts)
            task_id = f"{build.name}/{draft.what}"
            past = self._known.history.get(task_id)
            seconds = self._known.seconds.get(draft.key or "", past.seconds if past is not None else None)
            yield Task(
                id=task_id,
                build=build.name,
                kind=draft.kind,
                title=draft.title,
                key=draft.key,
                needs=draft.needs,
                action=decision.action,
                reason=(reason + note) if reason else f"follows {draft.needs[0]}",
                again=number >= first or draft.key in self._known.gone,
                seconds=seconds,
                generation=draft.generation,
                ingredients=partial(self._drafter.ingredients, build, draft),
                spec=draft.spec,
            )

    def _facts(self, build: Build, drafts: Sequence[Draft]) -> BuildFacts:
        made_by = [draft.spec for draft in drafts if draft.kind in (TaskKind.BOOT, TaskKind.STEP)]
        files = {str(path): digest for path in paths_read(made_by) if (digest := self._known.digests.get(path))}
        downloads = [spec.downloads() for spec in made_by if offers(spec, Downloads)]
        return BuildFacts(
            image=build.image.name,
            source=build.source.kind,
            tasks=tuple(TaskFacts(id=draft.what, title=draft.title, key=draft.key or "") for draft in drafts),
            files=files,
            downloads={url: checksum for one in downloads for url, checksum in one.items()},
            data=data_facts(self._known.data, build.name, self._known.secrets),
            images={other: self._planned[other].delivery.key or "" for other in self._graph.needs[build.name]},
        )

    def _why(self, build: Build, drafts: Sequence[Draft]) -> str:
        """Why the first task that runs must."""
        unkeyed = next((draft.unkeyed for draft in drafts if draft.unkeyed), "")
        if unkeyed:
            return f"never re-used: {unkeyed}"
        key = drafts[-1].key
        if key is not None and key in self._known.changed:
            return self._known.changed[key]
        before: dict[str, str] = {}
        now: dict[str, str] = {}
        for draft in drafts:
            past = self._known.history.get(f"{build.name}/{draft.what}")
            if past is not None:
                before.update(past.ingredients)
                now.update(self._drafter.ingredients(build, draft))
        if not before:
            return "not built yet"
        changed = changes(now, before)
        shown = ", ".join(changed[:_REASONS_SHOWN])
        more = f" and {len(changed) - _REASONS_SHOWN} more" if len(changed) > _REASONS_SHOWN else ""
        return f"changed: {shown}{more}" if changed else "its last result is not there"


def _must_only_post(build: str, drafts: Sequence[Draft], decisions: Sequence[Decision]) -> None:
    """Nothing but post-processors and the delivery may run.

    :raises PlanError: something else must.
    """
    allowed = (TaskKind.POST, TaskKind.DELIVER)
    for draft, decision in zip(drafts, decisions, strict=True):
        if decision.action != "reuse" and draft.kind not in allowed:
            raise PlanError(
                f"the post-processors of {build} alone cannot be run: {build}/{draft.what} has to run first",
                details="its captured image is not in the cache, or is not what would be captured now",
                resolution="build it without --only-post (only_post=True)",
            )


def _without_what_nobody_needs(planned: dict[str, PlannedBuild]) -> Mapping[str, PlannedBuild]:
    """An image that is not delivered, and on which nothing stands that must be done, is left alone."""
    wanted: set[str] = set()
    builds: dict[str, PlannedBuild] = {}
    for name in reversed(planned):
        build = planned[name]
        if build.image.keep != "output" and build.referred and name not in wanted and not build.reused:
            tasks = tuple(attrs.evolve(task, action="reuse", reason="not needed") for task in build.tasks)
            build = attrs.evolve(build, tasks=tasks, artifacts=())
        builds[name] = build
        wanted |= {need.rpartition("/")[0] for task in _acting(build) for need in task.needs}
    return {name: builds[name] for name in planned}


def _acting(build: PlannedBuild) -> Iterable[Task]:
    """Tasks that do something; a machine stands on what it was booted from, whatever layer it starts from."""
    on_machine = any(task.kind in MACHINE and task.action != "reuse" for task in build.tasks)
    captures = any(task.kind is TaskKind.CAPTURE and task.action == "run" for task in build.tasks)
    for task in build.tasks:
        if task.action != "reuse" or (task.kind in MACHINE and (on_machine or captures)):
            yield task
