"""Values of the build where there cannot be any."""

from __future__ import annotations

from collections.abc import Iterator

from packerpy.contracts import FillsValues, ReadsFiles
from packerpy.declare import BuildValue
from packerpy.declare.fill import shown_form
from packerpy.declare.walk import field_names, find, has
from packerpy.validate.data import data_in
from packerpy.validate.filler import PARTS
from packerpy.validate.graph import Build, Graph
from packerpy.values import Problem


def check_build_values(graph: Graph) -> Iterator[Problem]:
    """A source has no machine yet, a post-processor has none any more, and data are read before there is any build."""
    for image in graph.images:
        for data in data_in(tuple(getattr(image, part) for part in PARTS)):
            for value in find(tuple(getattr(data, name) for name in field_names(type(data))), BuildValue):
                what = f"data sources ({data.kind}) are read before any build begins"
                yield Problem(where=image.name, what=what, seen=value.shown)
    for build in graph.builds.values():
        if not has((build.source, *(getattr(build.image, part) for part in PARTS)), BuildValue):
            continue
        places = [*_fields("source", build.source), *_fields("test_on", build.image.test_on)]
        for place, part, allowed in (*places, ("post", build.image.post, frozenset({"run"}))):
            for value in find(part, BuildValue):
                if value.name not in allowed:
                    what = "is known only while there is a machine: in provision= and tests="
                    yield Problem(where=place, what=what, seen=value.shown).within(build.name)
        yield from (problem.within(build.name) for problem in _paths(build))


def _paths(build: Build) -> Iterator[Problem]:
    """Paths of what a build is planned by; the files must be known before there is a machine."""
    for place in ("provision", "tests", "error_cleanup"):
        for index, step in enumerate(getattr(build.image, place)):
            values = tuple(find(step, BuildValue)) if isinstance(step, ReadsFiles) else ()
            if not values:
                continue
            shown = shown_form(step)
            for value in values:
                if any(value.shown in str(path) for path in shown.reads()):
                    what = "files of the host are read when a build is planned, and this is known only with its machine"
                    yield Problem(where=f"{place}[{index}]", what=what, seen=value.shown)


def _fields(place: str, source: object) -> Iterator[tuple[str, object, frozenset[str]]]:
    """The fields of a source, with the values that it puts into them by itself."""
    filled = source.fills() if isinstance(source, FillsValues) else {}
    if not filled:
        yield place, source, frozenset()
        return
    for name in field_names(type(source)):
        yield f"{place}.{name}", getattr(source, name), filled.get(name, frozenset())
