"""Which tasks of a build must run, and which need not because what they would make is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from packerpy.plan.drafts import Draft
from packerpy.plan.known import Known
from packerpy.plan.tasks import Action, TaskKind

MACHINE = (TaskKind.BOOT, TaskKind.STEP)
"""Kinds of tasks whose value is a machine."""


@attrs.frozen
class Decision:
    """What is done about one task.

    :ivar reason: why; empty when that depends on what changed.
    """

    action: Action
    reason: str = ""


_RUN = Decision("run")


@attrs.frozen(kw_only=True)
class Reuse:
    """Decides for one build.

    :ivar drafts: its tasks, in order.
    :ivar first: the number of the first task that the user wants done again.
    :ivar layered: whether its machine is saved after each task.
    :ivar made_by: answers which task makes the layer of a key; the first that asks does.
    """

    build: str
    drafts: Sequence[Draft]
    first: int
    layered: bool
    known: Known
    made_by: Callable[[str, str], str]

    def decide(self) -> tuple[Decision, ...]:
        """One decision a task."""
        machine = [draft for draft in self.drafts if draft.kind in MACHINE]
        count = len(machine)
        capture, rest = self.drafts[count], self.drafts[count + 1 :]
        if self._is_stored(capture, count):
            done = Decision("reuse", "its captured image is stored")
            return (*(done for _ in machine), done, *self._after_capture(rest, count + 1))
        on_machine = self._layers(machine) if self.layered else [_RUN for _ in machine]
        return (*on_machine, *(_RUN for _ in (capture, *rest)))

    def _is_stored(self, draft: Draft, number: int) -> bool:
        return draft.key in self.known.results and number < self.first

    def _after_capture(self, rest: Sequence[Draft], start: int) -> list[Decision]:
        """Tests that passed and post-processors that finished are not done again, unless what they stand on is."""
        decided: dict[str, Decision] = {}
        for number, draft in enumerate(rest, start):
            own = [decided[what] for need in draft.needs if (what := need.rpartition("/")[2]) in decided]
            finished = draft.kind is not TaskKind.DELIVER and self._is_stored(draft, number)
            if finished and all(decision.action == "reuse" for decision in own):
                decided[draft.what] = Decision("reuse", "passed" if draft.kind is TaskKind.TEST else "finished")
            else:
                decided[draft.what] = _RUN
        return list(decided.values())

    def _layers(self, machine: Sequence[Draft]) -> list[Decision]:
        """Tasks whose layer is stored, or is being made by another build, are not run again."""
        stored = [n for n, draft in enumerate(machine) if draft.key in self.known.layers and n < self.first]
        deepest = stored[-1] if stored else -1
        return [self._layer(draft, number, deepest, len(machine)) for number, draft in enumerate(machine)]

    def _layer(self, draft: Draft, number: int, deepest: int, count: int) -> Decision:
        """What is done about a task when the layer ``deepest`` of ``count`` is stored (-1: none is)."""
        if number < deepest:
            return Decision("reuse", f"layer {deepest + 1} of {count} is stored")
        if number == deepest:
            return Decision("restore", f"layer {number + 1} of {count}")
        if draft.key is None:
            return _RUN
        own = f"{self.build}/{draft.what}"
        maker = self.made_by(draft.key, own)
        return _RUN if maker == own else Decision("reuse", f"shared with {maker}")


def changes(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """Names of the inputs that differ."""
    return [part for part in now if now[part] != before.get(part)] + [
        f"{part} (gone)" for part in before if part not in now
    ]
