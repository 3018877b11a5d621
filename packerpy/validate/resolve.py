"""Fills in the variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from packerpy.declare import Image, Later, Secret, Variable
from packerpy.declare.later import as_text
from packerpy.kit.choices import suggestion
from packerpy.validate.filler import Filler
from packerpy.values import Problem

PREFIX = "PACKERPY_VAR_"
"""Of environment variables that set variables, after Packer's ``PKR_VAR_``."""


@attrs.frozen(kw_only=True)
class Given:
    """What the caller sets.

    :ivar named: one by one; a name that no declaration uses is a problem.
    :ivar files: by files; names that no declaration uses are allowed, for several projects may share a file.
    :ivar environment: asked for ``PACKERPY_VAR_<name>``; unknown ones are ignored.
    """

    named: Mapping[str, object] = attrs.field(factory=dict)
    files: Mapping[str, object] = attrs.field(factory=dict)
    environment: Mapping[str, str] = attrs.field(factory=dict)

    def value(self, variable: Variable) -> object:
        """The highest of them, then the default; ``None`` when there is none."""
        name = variable.name
        if name in self.named:
            return self.named[name]
        if name in self.files:
            return self.files[name]
        return self.environment.get(PREFIX + name, variable.default)


@attrs.frozen(kw_only=True)
class Resolved:
    """Images with their variables filled in.

    :ivar problems: what is wrong with the variables; all of it.
    :ivar undeclared: names in files that no declaration uses, as problems for who wants to be warned.
    """

    images: tuple[Image, ...]
    problems: tuple[Problem, ...]
    undeclared: tuple[Problem, ...]


def resolve(images: Iterable[Image], given: Given) -> Resolved:
    """The images with every variable replaced by its value."""
    resolver = _Resolver(given)
    filler = Filler(resolver.lookup)
    filled = tuple(filler.image(image) for image in images)
    declared = sorted(resolver.declared)
    problems = (
        *resolver.problems,
        *filler.problems,
        *_unknown(given.named, declared),
        *_declarations(given.files, declared),
    )
    undeclared = tuple(_unknown(given.files, declared))
    return Resolved(images=filled, problems=tuple(dict.fromkeys(problems)), undeclared=undeclared)


def _unknown(given: Iterable[str], declared: list[str]) -> Iterator[Problem]:
    for name in sorted(set(given) - set(declared)):
        fix = suggestion(name, declared) if declared else "none is declared"
        yield Problem(where=name, what="no declaration has this variable", fix=fix)


def _declarations(files: Mapping[str, object], declared: list[str]) -> Iterator[Problem]:
    """A file of values that declares variables was meant for something else."""
    for name in ("variable", "variables"):
        if name not in declared and isinstance(files.get(name), Mapping):
            what = "a file of variables only gives values; it cannot declare any"
            yield Problem(where=name, what=what, fix='write `release = "trixie"`, and declare it in Python')


class _Resolver:
    def __init__(self, given: Given) -> None:
        self._given = given
        self._values: dict[Variable, object] = {}
        self.declared: dict[str, Variable] = {}
        self.problems: list[Problem] = []

    def lookup(self, later: Later) -> object:
        """The value of a variable; what is no variable stays."""
        if not isinstance(later, Variable):
            return later
        if later not in self._values:
            self._values[later] = self._value(later)
        return self._values[later]

    def _value(self, variable: Variable) -> object:
        """Its value; itself when there is a problem, so that no field complains of a value that is not there."""
        complaints = len(self.problems)
        other = self.declared.setdefault(variable.name, variable)
        if other != variable:
            what = "two different variables have the same name"
            self._complain(variable, what, fix="declare it once, and use it in both places")
        value = self._given.value(variable)
        if value is None:
            name = variable.name
            fix = f"give --var {name}=…, variables={{…}}, a file of variables or {PREFIX}{name}"
            self._complain(variable, "the variable is not set", fix=fix)
            return variable
        try:
            read = variable.read(value)
        except ValueError as error:
            self._complain(variable, f"the variable has a value of the wrong type: {error}", value)
            return variable
        self._validate(variable, read)
        if len(self.problems) > complaints:
            return variable
        return _sealed(read) if variable.sensitive else read

    def _validate(self, variable: Variable, value: object) -> None:
        allowed = [variable.read(one) for one in variable.allowed]
        if allowed and value not in allowed:
            fix = suggestion(as_text(value), map(as_text, allowed)) if not variable.sensitive else ""
            self._complain(variable, "the variable has a value that is not allowed", value, fix)
        for predicate, message in variable.validation:
            try:
                good = predicate(value)
            except Exception as error:  # noqa: BLE001  whatever the user's own predicate raises is told
                raised = type(error).__name__ + ("" if variable.sensitive else f": {error}")
                self._complain(variable, f"its validation raised {raised}", value)
                continue
            if not good:
                self._complain(variable, message, value)

    def _complain(self, variable: Variable, what: str, value: object = None, fix: str = "") -> None:
        seen = None if value is None else "<secret>" if variable.sensitive else as_text(value)
        self.problems.append(Problem(where=variable.name, what=what, seen=seen, fix=fix or None))


def _sealed(value: Any) -> object:
    """The value with everything in it secret."""
    if isinstance(value, Mapping):
        return {key: _sealed(item) for key, item in value.items()}
    return tuple(map(_sealed, value)) if isinstance(value, tuple) else Secret(value=as_text(value))
