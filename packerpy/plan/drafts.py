"""The tasks of one build with their keys, before it is known which of them must run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from packerpy.declare import Output
from packerpy.declare.fill import title_of
from packerpy.declare.walk import find
from packerpy.plan.functions import Unkeyable
from packerpy.plan.keys import Encoder, capture_fields, key_of
from packerpy.plan.known import Known
from packerpy.plan.tasks import TaskKind
from packerpy.registry import as_post, steps_of
from packerpy.validate import Build


@attrs.frozen(kw_only=True, eq=False)
class Draft:
    """A task before it is known whether it must run.

    :ivar what: its place in the build: ``step-2``.
    :ivar unkeyed: why it has no key; empty when it has one, or when the reason lies before it.
    :ivar needs: ids of tasks.
    :ivar generation: see :class:`packerpy.plan.Task`.
    """

    what: str
    kind: TaskKind
    title: str
    key: str | None
    unkeyed: str
    needs: tuple[str, ...]
    generation: tuple[str, float] | None
    spec: Any


class Drafter:
    """Makes the drafts of all builds.

    :param output_key: the key of what delivers an output; ``None`` when it has none.
    :param delivery: the id of the task that delivers it.
    """

    def __init__(
        self, known: Known, output_key: Callable[[Output], str | None], delivery: Callable[[Output], str]
    ) -> None:
        self._known, self._delivery = known, delivery
        self._encoder = Encoder(known, output_key)

    def chain(self, build: Build) -> Iterator[Draft]:
        """The tasks of one build, in order."""
        image = build.image
        last = self._draft(build, "boot", TaskKind.BOOT, f"boot {build.source.kind}", build.source)
        yield last
        for number, spec in enumerate(steps_of(image.provision, build.names), 1):
            last = self._draft(build, f"step-{number}", TaskKind.STEP, title_of(spec), spec, last)
            yield last
        last = self._draft(build, "capture", TaskKind.CAPTURE, "capture", None, last)
        yield last
        if tests := tuple(steps_of(image.tests, build.names)):
            title = f"test: {', '.join(map(title_of, tests))}"
            last = self._draft(build, "test", TaskKind.TEST, title, (image.test_on or build.source, tests), last)
            yield last
        ends = [last]
        for row, chain in enumerate(image.post, 1):
            end = last
            for column, item in enumerate(map(as_post, chain), 1):
                what = f"post-{row}" if len(chain) == 1 else f"post-{row}.{column}"
                end = self._draft(build, what, TaskKind.POST, title_of(item), item, end)
                yield end
            ends.append(end)
        yield self._draft(build, "deliver", TaskKind.DELIVER, "deliver", None, *ends)

    def _draft(self, build: Build, what: str, kind: TaskKind, title: str, spec: Any, *on: Draft) -> Draft:
        outputs = dict.fromkeys(self._delivery(output) for output in find(spec, Output))
        read = dict.fromkeys(use.reading for use in self._known.data.uses.get((build.name, what), ()))
        needs = (*(f"{build.name}/{before.what}" for before in on), *outputs, *read)
        key, unkeyed = self._key(build, kind, spec, on)
        key, generation = self._generation(key, spec)
        return Draft(
            what=what,
            kind=kind,
            title=title,
            key=key,
            unkeyed=unkeyed,
            needs=needs,
            generation=generation,
            spec=spec,
        )

    def _key(self, build: Build, kind: TaskKind, spec: Any, on: tuple[Draft, ...]) -> tuple[str | None, str]:
        """The key, or why there is none."""
        if not all(before.key for before in on):
            return None, ""
        if not getattr(spec, "cache", True):
            return None, f"{title_of(spec)!r} says cache=False"
        start: tuple[str, ...] = ()
        if kind is TaskKind.BOOT:
            # A machine without checkpoints belongs to one build, so the build's name is in all of its keys.
            start = (self._known.salt, self._known.fingerprints.get(build.name, build.name))
        try:
            if kind is TaskKind.CAPTURE:
                start = (build.name, self._encoder.capture_digest(build.source))
            return key_of(kind.value, *start, *(before.key or "" for before in on), self._encoder.digest(spec)), ""
        except Unkeyable as reason:
            return None, f"cannot be keyed: {reason}"

    def _generation(self, key: str | None, spec: Any) -> tuple[str | None, tuple[str, float] | None]:
        """The key of a step with a greatest age has the time of its last run in it, or now if that is too long ago."""
        max_age: float | None = getattr(spec, "max_age", None)
        if key is None or max_age is None:
            return key, None
        last = self._known.generations.get(key)
        at = last if last is not None and self._known.now - last <= max_age else self._known.now
        return key_of(key, repr(at)), (key, at)

    def ingredients(self, build: Build, draft: Draft) -> Mapping[str, str]:
        """Name of each input of a task → digest, to tell another time what changed."""
        place = draft.title if draft.kind in (TaskKind.STEP, TaskKind.POST) else draft.what
        parts: dict[str, str] = {}
        if draft.kind is TaskKind.BOOT:
            parts["packerpy"] = self._known.salt
            if build.name in self._known.fingerprints:
                parts["what saved machines depend on"] = self._known.fingerprints[build.name]
        if draft.kind is TaskKind.CAPTURE:
            parts.update(self._encoder.ingredients(place, build.source, capture_fields(type(build.source))))
        for use in self._known.data.uses.get((build.name, draft.what), ()):
            parts[f"data {use.label}"] = self._encoder.digest(use.value)[:12]
        for spec in draft.spec if isinstance(draft.spec, tuple) else (draft.spec,):
            parts.update(self._encoder.ingredients(place, spec))
        if draft.generation is not None:
            parts[f"{place}: last run"] = repr(draft.generation[1])
        return parts
