"""Why a task runs: which of its inputs differ from the last time it was done."""

from __future__ import annotations

import time
from collections.abc import Mapping

import attrs

from packerpy.errors import PlanError
from packerpy.kit.choices import suggestion
from packerpy.plan.known import Past
from packerpy.plan.tasks import Plan, Task

_NONE = "none"


@attrs.frozen(kw_only=True)
class Change:
    """One input that is not what it was.

    :ivar name: the input: ``upload site/: site/index.html``.
    :ivar before: its digest then; ``None`` when it is new.
    :ivar now: its digest now; ``None`` when it is gone.
    """

    name: str
    before: str | None
    now: str | None


@attrs.frozen(kw_only=True)
class Reasons:
    """What is known of why a task will or will not run.

    :ivar task: the task.
    :ivar past: the last time it was done; ``None`` when it never was.
    :ivar changes: its own inputs that differ from then.
    :ivar above: the nearest task before it whose own inputs differ, if any, with those.
    """

    task: Task
    past: Past | None
    changes: tuple[Change, ...]
    above: tuple[Task, tuple[Change, ...]] | None = None

    def __str__(self) -> str:
        task = self.task
        lines = [f"{task.id}  {task.title}", f"  {task.action}: {task.reason}", f"  key now   {task.key or _NONE}"]
        if self.past is None:
            return "\n".join([*lines, "  it was not done before, as far as the records go"])
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.past.at))
        lines.append(f"  key then  {self.past.key or _NONE}  ({when}, {self.past.seconds:.1f} s)")
        lines += [f"  changed: {_line(change)}" for change in self.changes] or ["  none of its own inputs changed"]
        if self.above is not None:
            above, changes = self.above
            lines.append(f"  it stands on {above.id}  {above.title}")
            lines += [f"    changed: {_line(change)}" for change in changes]
        return "\n".join(lines)


def _line(change: Change) -> str:
    return f"{change.name}  {change.before or _NONE} → {change.now or _NONE}"


def reasons(plan: Plan, name: str, history: Mapping[str, Past]) -> Reasons:
    """Why a task runs or does not.

    :param name: a task's id; or a build's name, which means its first task that does something.
    :param history: task id → the last time it was done.
    :raises PlanError: there is no such task.
    """
    task = _task(plan, name)
    past = history.get(task.id)
    return Reasons(task=task, past=past, changes=_changes(task, past), above=_above(plan, task, history))


def _task(plan: Plan, name: str) -> Task:
    build = plan.builds.get(name)
    if build is not None:
        return next((task for task in build.tasks if task.action == "run"), build.delivery)
    for task in plan.tasks:
        if task.id == name:
            return task
    known = [task.id for task in plan.tasks]
    raise PlanError(f"no task is called {name!r}", resolution=suggestion(name, known))


def _above(plan: Plan, task: Task, history: Mapping[str, Past]) -> tuple[Task, tuple[Change, ...]] | None:
    """The nearest of the tasks that ``task`` stands on whose own inputs changed."""
    waiting = list(task.needs)
    seen = set(waiting)
    while waiting:
        above = plan.task(waiting.pop(0))
        changes = _changes(above, history.get(above.id))
        if changes:
            return above, changes
        waiting += [need for need in above.needs if need not in seen]
        seen.update(above.needs)
    return None


def _changes(task: Task, past: Past | None) -> tuple[Change, ...]:
    if past is None:
        return ()
    now = task.ingredients()
    names = [*now, *(name for name in past.ingredients if name not in now)]
    return tuple(
        Change(name=name, before=past.ingredients.get(name), now=now.get(name))
        for name in names
        if now.get(name) != past.ingredients.get(name)
    )
