"""Collects everything that the wanted images stand on, and names the builds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import attrs

from packerpy.contracts import SourceSpec
from packerpy.declare import BuildValue, Image, Later, Output
from packerpy.declare.fill import fill
from packerpy.declare.walk import find, has
from packerpy.validate.filler import filled
from packerpy.values import Problem

BuildName = str


@attrs.frozen(kw_only=True, eq=False)
class Build:
    """One image on one source.

    :ivar name: ``web``, or ``web.qemu`` when the image has several sources.
    """

    name: BuildName
    image: Image
    source: SourceSpec

    @property
    def names(self) -> tuple[str, ...]:
        """What ``only=`` and its kin know it by: its own name, its image's, its source's kind and name."""
        own = getattr(self.source, "name", "")
        return tuple(name for name in (self.name, self.image.name, getattr(self.source, "kind", ""), own) if name)


@attrs.frozen(kw_only=True, eq=False)
class Graph:
    """All builds, prerequisites first.

    :ivar images: every image, those given and those they stand on.
    :ivar builds: by name, in an order in which each comes after what it stands on.
    :ivar needs: build → the builds it stands on.
    :ivar problems: what is wrong with the graph itself: clashes, unknown references, cycles.
    """

    images: tuple[Image, ...]
    builds: Mapping[BuildName, Build]
    needs: Mapping[BuildName, frozenset[BuildName]]
    problems: tuple[Problem, ...] = ()
    _by_image: Mapping[str, tuple[Build, ...]] = attrs.field(factory=dict)

    def build_of(self, output: Output) -> Build | None:
        """The build that makes what ``output`` refers to; ``None`` when there is none, or more than one fits."""
        fitting = self._fitting(output)
        return fitting[0] if len(fitting) == 1 else None

    def _fitting(self, output: Output) -> tuple[Build, ...]:
        builds = self._by_image.get(output.image_name, ())
        if output.source is None:
            return builds
        wanted = {output.source, f"{output.image_name}.{output.source}"}
        return tuple(b for b in builds if b.source.kind == output.source or b.name in wanted)

    def explain(self, output: Output) -> Problem:
        """Why :meth:`build_of` found nothing."""
        builds = self._by_image.get(output.image_name, ())
        if not builds:
            known = ", ".join(sorted(self._by_image)) or "none"
            return Problem(what="refers to an image that is not there", seen=str(output), fix=f"known images: {known}")
        names = ", ".join(f"source={b.name.partition('.')[2] or b.source.kind!r}" for b in builds)
        if output.source is None:
            return Problem(what="refers to an image with several sources", seen=str(output), fix=f"add one of {names}")
        return Problem(what="refers to a source that the image does not have", seen=str(output), fix=f"use {names}")


def collect(wanted: Iterable[Image]) -> Graph:
    """The graph of the wanted images and everything they refer to."""
    problems: list[Problem] = []
    by_name = _by_name(wanted, problems)
    by_image = {name: tuple(_builds(image, problems)) for name, image in by_name.items()}
    builds = {build.name: build for group in by_image.values() for build in group}
    problems.extend(_clashes(by_image))
    images = tuple(by_name.values())
    graph = Graph(images=images, builds=builds, needs={}, by_image=by_image)
    needs: dict[BuildName, frozenset[BuildName]] = {}
    for build in builds.values():
        found = set()
        for place, output in references(build):
            target = graph.build_of(output)
            if target is None:
                problems.append(graph.explain(output).within(place).within(build.name))
            else:
                found.add(target.name)
        needs[build.name] = frozenset(found)
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        ring = " -> ".join(reversed(error.args[1]))
        problems.append(Problem(what="images stand on each other in a ring", seen=ring, fix="break the ring"))
        order = list(builds)
    ordered = {name: builds[name] for name in order}
    return Graph(images=images, builds=ordered, needs=needs, problems=tuple(problems), by_image=by_image)


def references(build: Build) -> Iterator[tuple[str, Output]]:
    """Every reference of a build to another image, with its place."""
    image = build.image
    for place, part in (
        ("source", build.source),
        ("provision", image.provision),
        ("tests", image.tests),
        ("test_on", image.test_on),
        ("post", image.post),
    ):
        for output in find(part, Output):
            yield place, output


def _by_name(images: Iterable[Image], problems: list[Problem]) -> dict[str, Image]:
    """All images that can be reached, by name; without recursion, for chains may be thousands long."""
    found: dict[str, Image] = {}
    seen: set[int] = set()
    waiting = list(images)[::-1]
    while waiting:
        image = waiting.pop()
        if id(image) in seen:
            continue
        seen.add(id(image))
        other = found.setdefault(image.name, image)
        if other is not image and other != image:
            problems.append(
                Problem(where=image.name, what="two different images have the same name", fix="rename one of them")
            )
        parts = (image.sources, image.provision, image.tests, image.test_on, image.post)
        waiting.extend(output.image for output in find(parts, Output) if not isinstance(output.image, str))
    return found


def _builds(image: Image, problems: list[Problem]) -> Iterator[Build]:
    """One build a source; the same name twice is reported by :func:`_clashes`."""
    several = len(image.sources) > 1
    for source in image.sources:
        own = getattr(source, "name", "") or getattr(source, "kind", type(source).__name__)
        yield _own(f"{image.name}.{own}" if several else image.name, image, source, problems)


def _own(name: BuildName, image: Image, source: SourceSpec, problems: list[Problem]) -> Build:
    """A build with those of its own values filled in that are known already."""
    known = {"name": name, "image": image.name, "source": getattr(source, "kind", "")}

    def lookup(later: Later) -> object:
        return known.get(later.name, later) if isinstance(later, BuildValue) else later

    parts = (source, image.provision, image.tests, image.test_on, image.post, image.error_cleanup)
    if not has(parts, Later):
        return Build(name=name, image=image, source=source)
    made, misfits = filled(image, lookup)
    problems += (problem.within(name) for problem in misfits)
    return Build(name=name, image=made, source=fill(source, lookup, problems=[]))


def _clashes(by_image: Mapping[str, tuple[Build, ...]]) -> Iterator[Problem]:
    counts = Counter(build.name for group in by_image.values() for build in group)
    for name, count in counts.items():
        if count > 1:
            yield Problem(
                where=name, what=f"{count} builds have this name", fix="give the sources different names by name="
            )
