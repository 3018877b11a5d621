"""Puts values into declarations in the place of what stands for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import attrs

from packerpy.declare.fit import misfit, told
from packerpy.declare.later import Composed, Later
from packerpy.declare.reference import Output
from packerpy.declare.values import Secret
from packerpy.declare.walk import PLAIN, has
from packerpy.errors import DeclarationError
from packerpy.values import Problem

Lookup = Callable[[Later], Any]


def same(output: Output) -> Output:
    """A reference stays what it is."""
    return output


def fill(
    value: Any, lookup: Lookup, output: Callable[[Output], Any] = same, problems: list[Problem] | None = None
) -> Any:
    """``value`` with every :class:`Later` in it replaced by what ``lookup`` answers; the same object if none is.

    :param lookup: answers its argument itself for what is not its business; what stands inside that is then filled.
    :param output: what an :class:`Output` found on the way becomes.
    :param problems: where to tell of values that do not fit into their fields, which then stay as they are. Without it
        nothing is looked at, and a value that cannot be put in raises what it raises.
    """
    return _Filling(lookup, output, problems).value(value)


def shown_form(spec: Any) -> Any:
    """The declaration with the names of what is not known yet, wherever a text fits."""
    return fill(spec, lambda later: later.shown, problems=[]) if has(spec, Later) else spec


def title_of(spec: Any) -> str:
    """A declaration's title, with the names of what is not known yet."""
    try:
        return str(shown_form(spec).title)
    except Exception:  # noqa: BLE001  a field that wants a number, say, may not be fit to be shown yet
        return str(spec.kind)


@attrs.frozen
class _Filling:
    lookup: Lookup
    output: Callable[[Output], Any]
    problems: list[Problem] | None

    def value(self, value: Any) -> Any:
        """The same object if there is nothing to put in."""
        if isinstance(value, Later):
            found = self.lookup(value)
            if found is not value:
                return found
        if isinstance(value, Output):
            return self.output(value)
        if isinstance(value, tuple):
            filled = tuple(self._part(f"[{number}]", item) for number, item in enumerate(value))
            return filled if any(a is not b for a, b in zip(filled, value, strict=True)) else value
        if isinstance(value, Mapping):
            changed = {key: self._part(f"[{key}]", item) for key, item in value.items()}
            return changed if any(changed[key] is not value[key] for key in changed) else value
        if attrs.has(type(value)) and not isinstance(value, Secret):
            return self._fields(value)
        return value

    def _part(self, place: str, value: Any) -> Any:
        """What stands inside; a problem with it is told with its place."""
        if type(value) in PLAIN:
            return value
        told = len(self.problems or ())
        filled = self.value(value)
        if self.problems is not None and len(self.problems) > told:
            self.problems[told:] = [problem.within(place) for problem in self.problems[told:]]
        return filled

    def _fields(self, value: Any) -> Any:
        changes = {}
        for name, alias in _init_fields(value.__class__):
            before = getattr(value, name)
            new = self._part(name, before)
            if new is not before and self._fits(type(value), name, before, new):
                changes[alias] = new
        filled = self._evolved(value, changes) if changes else value
        return filled.settled() if isinstance(filled, Composed) else filled

    def _fits(self, cls: type, name: str, before: Any, new: Any) -> bool:
        """Whether the value of something known later fits into a field; if not, that is told."""
        if self.problems is None or issubclass(cls, Composed):
            return True
        problem = misfit(cls, name, before, new)
        if problem is not None:
            self.problems.append(problem)
        return problem is None

    def _evolved(self, value: Any, changes: dict[str, Any]) -> Any:
        """Made anew; the class itself may have something against the values."""
        try:
            return attrs.evolve(value, **changes)
        except (DeclarationError, TypeError, ValueError) as error:
            if self.problems is None or isinstance(value, Composed):
                raise
            self.problems.append(told(error))
            return value


@cache
def _init_fields(cls: Any) -> tuple[tuple[str, str], ...]:
    """Name and argument of each field that the constructor takes."""
    return tuple((field.name, field.alias) for field in attrs.fields(cls) if field.init)
