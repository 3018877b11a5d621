"""The data sources in declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from packerpy.declare import Data, Later
from packerpy.declare.fit import domain
from packerpy.declare.walk import field_names, find, has
from packerpy.registry import steps_of
from packerpy.validate.graph import Build
from packerpy.values import Problem


def data_in(value: object) -> Iterator[Data]:
    """Every data source in ``value``; before each, those that it stands on itself."""
    for data in find(value, Data):
        for name in field_names(type(data)):
            yield from data_in(getattr(data, name))
        yield data


def parts_of(build: Build) -> Iterator[tuple[str, object]]:
    """The parts of a build, each with the name of the task that carries it out."""
    image = build.image
    yield "boot", build.source
    yield from ((f"step-{number}", step) for number, step in enumerate(steps_of(image.provision, build.names), 1))
    yield "test", (image.test_on, tuple(steps_of(image.tests, build.names)))
    for row, chain in enumerate(image.post, 1):
        for column, item in enumerate(chain, 1):
            yield (f"post-{row}" if len(chain) == 1 else f"post-{row}.{column}"), item


def check_data(builds: Iterable[Build]) -> Iterator[Problem]:
    """What is wrong with the data sources themselves, each told once, where it is first used."""
    seen: set[Data] = set()
    for build in builds:
        for what, part in parts_of(build):
            for data in data_in(part):
                if data in seen:
                    continue
                seen.add(data)
                yield from (p.within(data.kind).within(f"{build.name}/{what}") for p in checked(data))


def checked(spec: Any) -> Iterator[Problem]:
    """What a declaration says of itself; what depends on values that are not known yet is checked when they are."""
    unknown = _unknown_fields(spec)
    if not unknown:
        yield from spec.check()
        return
    try:
        problems = tuple(spec.check())
        for variant in _variants(spec, unknown):
            found = set(variant.check())
            problems = tuple(problem for problem in problems if problem in found)
    except Exception:  # noqa: BLE001  whatever a check makes of what it was not written for
        return
    yield from (problem for problem in problems if _field(problem.where) not in unknown)


def _variants(spec: Any, unknown: Iterable[str]) -> Iterator[Any]:
    """The declaration with other values in the place of unknown ones: what is wrong with it is so for all of them."""
    for name in unknown:
        if isinstance(getattr(spec, name), Later):
            for value in domain(type(spec), name):
                yield attrs.evolve(spec, **{getattr(attrs.fields(type(spec)), name).alias: value})


def _unknown_fields(spec: Any) -> set[str]:
    if not has(spec, Later):
        return set()
    names = field_names(type(spec)) if attrs.has(type(spec)) else ()
    return {name for name in names if has(getattr(spec, name), Later)}


def _field(where: str) -> str:
    return where.partition(".")[0].partition("[")[0]
