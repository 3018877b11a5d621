"""What a caller asks for, and the plan for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import attrs

from packerpy.artifacts.database import Database
from packerpy.artifacts.history import History
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.survey import survey
from packerpy.contracts import Checkpoints, SourceSpec
from packerpy.declare import Image, Project
from packerpy.errors import ValidationError
from packerpy.execute.looking import looking_run
from packerpy.execute.presence import missing
from packerpy.execute.reading import Look, read_data
from packerpy.kit.garbage import kept
from packerpy.plan import Again, Past, Plan, plan
from packerpy.plan.readings import Readings
from packerpy.plan.select import select
from packerpy.validate import Given, Graph, Resolved, collect, resolve, validate
from packerpy.validate.variable_files import read_files
from packerpy.values import Problem

Target = Image | Project | Iterable[Image]


def _mapping(value: Mapping[str, object] | None) -> Mapping[str, object]:
    return value or {}


def _paths(value: Iterable[str | Path]) -> tuple[Path, ...]:
    return tuple(map(Path, value))


def _tuple(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class Request:
    """Which images are wanted, and how.

    :ivar targets: images, projects, or lists of images.
    :ivar only: globs of the builds wanted.
    :ivar except_: globs of builds not wanted.
    :ivar variables: values of declared variables, by name.
    :ivar variable_files: files of such; later ones go over earlier ones, ``variables`` over all.
    :ivar output: the folder under which each build has its output folder.
    :ivar again: what is done again although it is there.
    """

    targets: Iterable[Target]
    only: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    except_: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    variables: Mapping[str, object] = attrs.field(factory=dict, converter=_mapping)
    variable_files: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    output: Path = attrs.field(default=Path("output"), converter=Path)
    again: Again = attrs.field(factory=Again)

    def graph(self) -> tuple[Graph, tuple[Problem, ...]]:
        """All builds, and everything that is wrong with them; offline."""
        resolved = self.resolved()
        with kept():
            graph = collect(resolved.images)
            return graph, (*resolved.problems, *validate(graph))

    def resolved(self) -> Resolved:
        """The images with their variables filled in.

        :raises DeclarationError: a file of variables cannot be read.
        """
        given = Given(named=self.variables, files=read_files(self.variable_files), environment=os.environ)
        return resolve(_images(self.targets), given)

    def folders(self, graph: Graph) -> Mapping[str, Path]:
        """Build → its output folder."""
        return {
            name: (build.image.output_folder or self.output / name).absolute() for name, build in graph.builds.items()
        }

    def plan(self, look: Look, cache: Path, database: Database) -> tuple[Plan, Mapping[str, Path]]:
        """The plan, and each build's output folder. Data sources and files that no wanted build uses are not read.

        :param look: makes runs that read data sources.
        :raises ValidationError: the declarations have problems.
        :raises DataError: a data source could not be read.
        :raises PlanError: what is asked for cannot be done.
        """
        graph, problems = self.graph()
        if problems:
            raise ValidationError(problems)
        wanted = select(graph.needs, only=self.only, except_=self.except_)
        graph, data = _read(graph, wanted, look)
        folders = self.folders(graph)
        fingerprint = partial(_fingerprint, Journal(database), cache)
        known = survey(graph, wanted, folders, database, cache, fingerprint, data)
        made = partial(plan, graph, only=self.only, except_=self.except_, again=self.again)
        planned = made(known)
        gone = missing(planned, known, look)
        return made(known.without(gone)) if gone else planned, folders

    def history(self, database: Database) -> Mapping[str, Past]:
        """Task id → what is known of the last time it was done."""
        return History(database).of(self.folders(self.graph()[0]))


def _read(graph: Graph, wanted: Iterable[str], look: Look) -> tuple[Graph, Readings]:
    """The graph with what data sources answer, checked again, for it may be wrong; and what was read."""
    images, data = read_data(graph, wanted, look)
    if not data.read:
        return graph, data
    graph = collect(images)
    problems = validate(graph)
    if problems:
        raise ValidationError(problems)
    return graph, data


def _fingerprint(journal: Journal, cache: Path, spec: SourceSpec) -> str | None:
    """What saved machines of a source depend on, if it wants its machines saved."""
    if getattr(spec, "layers", "off") == "off":
        return None
    source = spec.load()
    return source.fingerprint(looking_run("none", "plan", journal, cache)) if isinstance(source, Checkpoints) else None


def _images(targets: Iterable[Target]) -> Iterator[Image]:
    for target in targets:
        if isinstance(target, Image):
            yield target
        else:
            yield from target.images if isinstance(target, Project) else target
