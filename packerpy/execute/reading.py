"""Reads the data sources, before anything is planned: what they answer decides keys."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any

from packerpy import events
from packerpy.declare import Data, DataOutput, Image, Later, Secret
from packerpy.declare.fill import fill
from packerpy.declare.later import as_text
from packerpy.declare.walk import field_names, find
from packerpy.errors import BuildFailures, CancelledError, PackerpyError, PluginError, ValidationError
from packerpy.execute.run import LiveRun
from packerpy.kit.choices import suggestion
from packerpy.plan.readings import Reading, Readings, Use
from packerpy.validate import Graph
from packerpy.validate.data import checked, data_in, parts_of
from packerpy.validate.filler import Filler
from packerpy.values import Problem

_SHORT = 4
"""Characters."""
_AT_ONCE = 8
"""Sources that are read at the same time, at most; they wait for others more than they compute."""


def read_data(graph: Graph, wanted: Iterable[str], look: Look) -> tuple[tuple[Image, ...], Readings]:
    """All images, with the values of those data sources filled in that the wanted builds use; and what was read.

    :param graph: without problems.
    :param wanted: names of builds.
    :param look: makes a run for a reading, of which it is told the name.
    :raises ValidationError: a declaration asks for a part that there is not; all of them at once.
    :raises DataError: a source could not be read.
    :raises BuildFailures: several could not.
    """
    parts = {(name, what): part for name in wanted for what, part in parts_of(graph.builds[name])}
    extra = [graph.builds[name].image.error_cleanup for name in wanted]
    declared = tuple(dict.fromkeys(data_in((*parts.values(), *extra))))
    if not declared:
        return graph.images, Readings()
    reader = _Reader(declared, look)
    reader.read_all()
    filler = Filler(reader.lookup)
    filled = tuple(filler.image(image) for image in graph.images)
    uses = {place: found for place, part in parts.items() if (found := tuple(reader.uses(part)))}
    reader.raise_failures(filler.problems)
    return filled, Readings(read=reader.readings(), uses=uses)


Look = Callable[[str], LiveRun]


class _Reader:
    """Reads each source once, as many at a time as do not wait for others.

    Threads only read; which, and what becomes of it, is decided by the one that made the reader.

    :param declared: the sources, each after those that it stands on.
    """

    def __init__(self, declared: tuple[Data, ...], look: Look) -> None:
        self._names = dict(_named(declared))
        self._look = look
        self._read: dict[Data, Reading] = {}
        self._values: dict[Data, object] = {}
        self._broken: set[Data] = set()
        self._failures: dict[str, PackerpyError] = {}
        self._problems: list[Problem] = []

    def read_all(self) -> None:
        """Read them; failures are kept, so that all are told at once.

        :raises CancelledError: as soon as all that were being read have stopped.
        """
        order = TopologicalSorter({data: set(_stands_on(data)) for data in self._names})
        order.prepare()
        reading: dict[Future[object], Data] = {}
        waiting: dict[Data, list[Data]] = {}
        runs: list[LiveRun] = []
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="packerpy-read") as pool:
            try:
                while order.is_active():
                    for data in order.get_ready():
                        own = self._own(data)
                        waiting.setdefault(own, []).append(data)
                        if len(waiting[own]) == 1 and not self._cannot(own):
                            runs.append(self._look(self._names[data]))
                            reading[pool.submit(_perform, own, f"read/{self._names[data]}", runs[-1])] = own
                    done = wait(reading, return_when=FIRST_COMPLETED).done if reading else set()
                    for future in done:
                        self._keep(reading.pop(future), waiting, future)
                    settled = [own for own in waiting if own in self._values or own in self._broken]
                    for own in settled:
                        order.done(*waiting.pop(own))
            except BaseException:
                for run in runs:  # nobody wants the answers of the others any more
                    run.cancellation.request()
                raise

    def readings(self) -> tuple[Reading, ...]:
        """What was read, in the order of the declarations."""
        names = list(self._names.values())
        return tuple(sorted(self._read.values(), key=lambda reading: names.index(reading.id.removeprefix("read/"))))

    def lookup(self, later: Later) -> object:
        """The value of a source or of a part of one; the reference itself if it cannot be had."""
        if isinstance(later, Data):
            return self._value(later, (), later)
        if isinstance(later, DataOutput):
            return self._value(later.data, later.path, later)
        return later

    def uses(self, part: object) -> Iterator[Use]:
        """What a part of a declaration uses."""
        for later in find(part, Later):
            for reference in (later,) if isinstance(later, (Data, DataOutput)) else find(_inside(later), Later):
                data = reference.data if isinstance(reference, DataOutput) else reference
                if isinstance(data, Data):
                    reading = self._read.get(self._own(data))
                    if reading is not None:
                        yield Use(reading=reading.id, label=reference.shown.strip("{}"), value=self.lookup(reference))

    def raise_failures(self, misfits: Iterable[Problem]) -> None:
        """Whatever went wrong, all at once, in the order of the declarations.

        :param misfits: values that do not fit where they were to be put.
        """
        failures = [self._failures[name] for name in self._names.values() if name in self._failures]
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BuildFailures(f"{len(failures)} data sources could not be read", failures)
        # What could not be read leaves more behind that does not fit.
        problems = dict.fromkeys(self._problems if self._broken else (*self._problems, *misfits))
        if problems:
            raise ValidationError(problems)

    def _own(self, data: Data) -> Data:
        """The source with the values of others put into its fields."""
        problems: list[Problem] = []
        filled: Data = fill(data, lambda later: later if later is data else self.lookup(later), problems=problems)
        self._problems += (problem.within(data.kind) for problem in problems)
        return filled

    def _value(self, data: Data, path: tuple[str | int, ...], reference: Later) -> object:
        own = self._own(data)
        return self._part(self._values[own], path, reference) if own in self._values else reference

    def _part(self, value: Any, path: tuple[str | int, ...], reference: Later) -> object:
        for number, step in enumerate(path):
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                seen = ".".join(map(str, path[: number + 1]))
                self._problems.append(
                    Problem(where=reference.shown, what="has no such part", seen=seen, fix=_parts(step, value))
                )
                return reference
        return value

    def _cannot(self, own: Data) -> bool:
        """Whether something that it stands on could not be read, which was told."""
        if next(find(_inside(own), Later), None) is not None:
            self._broken.add(own)
        return own in self._broken or own in self._values

    def _keep(self, own: Data, waiting: Mapping[Data, list[Data]], future: Future[object]) -> None:
        declared = waiting[own][0]
        name = self._names[declared]
        error = future.exception()
        if error is not None:
            if not isinstance(error, PackerpyError) or isinstance(error, CancelledError):
                raise error
            error.task = f"read/{name}"
            self._failures[name] = error
            self._broken.add(own)
            return
        self._values[own] = future.result()
        needs = tuple(dict.fromkeys(use.reading for use in self.uses(_inside(declared))))
        self._read[own] = Reading(id=f"read/{name}", title=own.title, needs=needs, spec=own)


def _perform(own: Data, name: str, run: LiveRun) -> object:
    """Read one, telling so; in a thread of its own, and in a run of its own."""
    start = time.monotonic()
    run.enter(name)
    run.bus.emit(events.TaskStarted(task=name, title=own.title))
    problem = "stopped"
    try:
        value = _checked_value(own, run)
        problem = ""
    except Exception as error:
        failure = _ours(own, error)
        problem = str(failure)
        if failure is error:
            raise
        raise failure from error
    finally:
        run.close(failed=True)
        status: events.Status = "failed" if problem else "done"
        seconds = time.monotonic() - start
        run.bus.emit(events.TaskFinished(task=name, status=status, seconds=seconds, error=problem))
    return value


def _checked_value(own: Data, run: LiveRun) -> object:
    run.cancellation.check()
    problems = tuple(checked(own))
    if problems:
        raise ValidationError(problem.within(own.kind) for problem in problems)
    return _frozen(run, own.load().read(run), secret=own.secret)


def _frozen(run: LiveRun, value: object, *, secret: bool) -> object:
    """A copy that nobody can change, with secret texts and numbers as secrets, hidden from every output."""
    if isinstance(value, Mapping):
        return MappingProxyType({str(k): _frozen(run, v, secret=secret) for k, v in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(run, item, secret=secret) for item in value)
    if isinstance(value, (str, int, float)) and secret:
        value = Secret(value=as_text(value))
    if isinstance(value, Secret):
        _hide(run, value)
    elif value is not None and not isinstance(value, (str, int, float)):
        raise PluginError(f"a data source answered a {type(value).__name__}, which no field can hold")
    return value


def _hide(run: LiveRun, secret: Secret) -> None:
    """Mask it from now on; a digit or two would be found in every path, and are masked when they are used."""
    if secret.value is None or len(secret.value) >= _SHORT:
        run.reveal(secret)


def _named(declared: Iterable[Data]) -> Iterator[tuple[Data, str]]:
    """Each with the name that it is told by: its own, or its kind; with a number where that is taken."""
    taken: set[str] = set()
    for data in declared:
        wanted = str(getattr(data, "name", "") or data.kind)
        names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        yield data, name


def _stands_on(data: Data) -> Iterator[Data]:
    for part in _inside(data):
        yield from find(part, Data)


def _inside(later: Later) -> tuple[object, ...]:
    """The fields of what stands for a value."""
    return tuple(getattr(later, name) for name in field_names(type(later)))


def _parts(step: str | int, value: object) -> str:
    """What could have been asked for."""
    if isinstance(value, Mapping):
        return suggestion(step, value) if value else "it is empty"
    if isinstance(value, tuple):
        return f"it is a list of {len(value)}"
    return "it is a single value, without parts"


def _ours(data: Data, error: Exception) -> PackerpyError:
    if isinstance(error, PackerpyError):
        return error
    return PluginError(
        f"reading {data.title}: {type(error).__name__}: {error}",
        details="".join(traceback.format_exception(error)).rstrip(),
        resolution=f"this is a bug of the data source {data.kind!r}, please report it with the lines above",
    )
