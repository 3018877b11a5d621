"""The graph of tasks: frozen data with a reason for everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

import attrs

from packerpy.contracts import SourceSpec
from packerpy.declare import Image
from packerpy.values import Artifact, BuildFacts

Action = Literal["run", "reuse", "restore", "read"]
"""``reuse``: nothing is done; ``restore``: the machine is started from its saved layer; ``read``: a data source was
read, before planning."""


class TaskKind(StrEnum):
    """What a task does. One build is a chain: boot, steps, capture, test, post-processor chains, deliver.

    Reading a data source belongs to no build; it comes before all that use what it read.
    """

    READ = "read"
    BOOT = "boot"
    STEP = "step"
    CAPTURE = "capture"
    TEST = "test"
    POST = "post"
    DELIVER = "deliver"


@attrs.frozen(kw_only=True, eq=False)
class Task:
    """One piece of work.

    :ivar id: ``<build>/<what>``, unique in the plan.
    :ivar title: one line for people.
    :ivar key: hash of everything that decides its result; ``None`` when something in it cannot be keyed.
    :ivar needs: ids of the tasks that come first.
    :ivar action: what will be done.
    :ivar reason: why.
    :ivar again: run even if its result is stored, because the user said so, or because what it stands for is gone.
    :ivar seconds: how long it took the last time; ``None`` when that is not known.
    :ivar generation: of a step with a greatest age: its key without the time, and the time that is in its key; written
        down when it was run.
    :ivar ingredients: answers name of each input → digest, to tell another time what changed.
    :ivar spec: the declaration that it carries out; a tuple of them for tests.
    """

    id: str
    build: str
    kind: TaskKind
    title: str
    key: str | None
    needs: tuple[str, ...]
    action: Action
    reason: str
    again: bool = False
    seconds: float | None = None
    generation: tuple[str, float] | None = None
    ingredients: Callable[[], Mapping[str, str]] = attrs.field(default=dict, repr=False)
    spec: Any = attrs.field(default=None, repr=False)

    @property
    def what(self) -> str:
        """Its place in its build: ``step-2``."""
        return self.id.rpartition("/")[2]


@attrs.frozen(kw_only=True, eq=False)
class PlannedBuild:
    """One image on one source, with its tasks in order.

    :ivar unkeyed: what in it cannot be keyed, so that nothing of it is ever re-used; empty when all can.
    :ivar artifacts: what an earlier run delivered, when that is re-used.
    :ivar facts: answers what it is made of.
    :ivar layered: whether its machine is saved after each task, so that each task is a unit of its own.
    :ivar referred: whether another build of the plan stands on it, so that its disk must be kept.
    """

    name: str
    image: Image
    source: SourceSpec
    tasks: tuple[Task, ...]
    unkeyed: str = ""
    artifacts: tuple[Artifact, ...] | None = None
    facts: Callable[[], BuildFacts] = attrs.field(default=BuildFacts, repr=False)
    layered: bool = False
    referred: bool = False

    @property
    def reused(self) -> bool:
        """Whether nothing of it has to run."""
        return self.artifacts is not None

    def of(self, *kinds: TaskKind) -> tuple[Task, ...]:
        """Its tasks of some kinds."""
        return tuple(task for task in self.tasks if task.kind in kinds)

    @property
    def delivery(self) -> Task:
        """Its last task."""
        return self.tasks[-1]


@attrs.define(kw_only=True, eq=False, frozen=True, slots=False)
class Plan:
    """What will be done, in an order in which everything comes after what it needs.

    :ivar builds: by name.
    :ivar reads: the reading of data sources.
    :ivar output_of: ``str(reference)`` → the name of the build it means.
    """

    builds: Mapping[str, PlannedBuild]
    reads: tuple[Task, ...] = ()
    output_of: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks."""
        return (*self.reads, *(task for build in self.builds.values() for task in build.tasks))

    def task(self, name: str) -> Task:
        """The task with an id; ``KeyError`` when there is none."""
        return self._by_id[name]

    @cached_property
    def _by_id(self) -> Mapping[str, Task]:
        return {task.id: task for task in self.tasks}

    @cached_property
    def seconds(self) -> float | None:
        """How long it will take at least, by what its tasks took before; ``None`` when one of them is not known.

        That is the longest chain of tasks that need each other: how many of them run at once is the host's affair.
        """
        ends: dict[str, float] = {}
        for task in self.tasks:
            took = task.seconds if task.action in ("run", "restore") else 0.0
            if took is None:
                return None
            ends[task.id] = took + max((ends[need] for need in task.needs), default=0.0)
        return max(ends.values(), default=0.0)

    def __str__(self) -> str:
        from packerpy.plan.render import as_text

        return as_text(self)

    def _repr_svg_(self) -> str:
        """In a notebook a plan shows itself as a picture."""
        from packerpy.plan.render import as_svg

        return as_svg(self)
