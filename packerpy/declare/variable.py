"""Values that the caller of a build chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args, get_origin

import attrs

from packerpy.declare.later import Later, as_text
from packerpy.errors import DeclarationError

Rule = tuple[Callable[[Any], object], str]
"""What a value must fulfil, and what to tell when it does not."""

_TYPES = (str, int, float, bool, list, dict)


def frozen_value(value: Any) -> Any:
    """A copy that nobody can change: lists become tuples, mappings read-only ones."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen_value(item) for key, item in value.items()})
    return tuple(frozen_value(item) for item in value) if isinstance(value, (list, tuple)) else value


def hashable(value: Any) -> Any:
    """Something equal and hashable for equal values; ``1``, ``1.0`` and ``True`` are told apart."""
    if isinstance(value, Mapping):
        return tuple(sorted((key, hashable(item)) for key, item in value.items()))
    return tuple(map(hashable, value)) if isinstance(value, tuple) else (type(value).__name__, value)


def _rules(value: Any) -> tuple[Rule, ...]:
    if isinstance(value, tuple) and len(value) == 2 and callable(value[0]):
        return (value,)
    return tuple(value)


@attrs.frozen
class Variable(Later):
    """A value that the caller of a build may set.

    Filled in, lowest first, from ``default``, the environment variable ``PACKERPY_VAR_<name>``, files that lie beside
    the declarations (``*.auto.vars.toml``, then ``*.auto.vars.json``), files named by ``variable_files=`` or
    ``--var-file``, and ``variables=`` or ``--var name=value``.

    :param name: a Python identifier.
    :param type: ``str``, ``int``, ``float``, ``bool``, ``list``, ``dict``, or such as ``list[str]``; that of the
        default when not given, else ``str``. What comes as text is read as JSON, unless a text is wanted.
    :param default: used when nobody sets it; without one, an unset variable is a problem.
    :param description: for people, shown by ``packerpy inspect``.
    :param allowed: the only values it may take; empty means any.
    :param validation: pairs of a predicate and a message: ``(lambda mib: mib >= 512, "At least 512 MiB.")``; each is
        asked, and the messages of all that say no are told.
    :param sensitive: its value is a secret: masked everywhere, and in keys as a keyed hash.
    """

    name: str
    default: Any = attrs.field(default=None, kw_only=True, converter=frozen_value, eq=hashable)
    type: Any = attrs.field(default=None, kw_only=True)
    description: str = attrs.field(default="", kw_only=True)
    allowed: tuple[Any, ...] = attrs.field(default=(), kw_only=True, converter=frozen_value, eq=hashable)
    validation: tuple[Rule, ...] = attrs.field(default=(), kw_only=True, converter=_rules)
    sensitive: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise DeclarationError(
                f"{self.name!r} is not a name for a variable", resolution="use a Python identifier, such as `release`"
            )
        if self._origin not in _TYPES:
            raise DeclarationError(
                f"variable {self.name!r} has a type that no variable can have",
                details=f"seen: {self.type!r}",
                resolution="use str, int, float, bool, list, dict, or such as list[str]",
            )
        for value in (*(() if self.default is None else (self.default,)), *self.allowed):
            try:
                self.read(value)
            except ValueError as error:
                seen = None if self.sensitive else f"seen: {value!r}"
                brief = f"variable {self.name!r} has a default or allowed value of the wrong type: {error}"
                raise DeclarationError(brief, details=seen) from error

    def __repr__(self) -> str:
        default = "<secret>" if self.sensitive and self.default is not None else repr(self.default)
        return f"Variable({self.name!r}, default={default})"

    @property
    def shown(self) -> str:
        """Its name, in braces."""
        return "{" + self.name + "}"

    @property
    def from_caller(self) -> bool:
        """It is what the caller's values are for."""
        return True

    @property
    def wanted(self) -> Any:
        """Its type, told or taken from the default."""
        if self.type is not None:
            return self.type
        if isinstance(self.default, Mapping):
            return dict
        return list if isinstance(self.default, tuple) else str if self.default is None else type(self.default)

    @property
    def _origin(self) -> Any:
        return get_origin(self.wanted) or self.wanted

    def read(self, given: object) -> Any:
        """The value that was given, in the type wanted.

        :raises ValueError: it is not of that type; says which is wanted, and never shows the value.
        """
        return read_as(self.wanted, given)


def read_as(wanted: Any, given: object) -> Any:
    """``given`` as a value of a type; see :meth:`Variable.read`."""
    origin = get_origin(wanted) or wanted
    if origin is str:
        if isinstance(given, (str, int, float)):
            return as_text(given)
        raise ValueError("it must be a text")
    value = _parsed(given, wanted) if isinstance(given, str) else given
    if origin is list and isinstance(value, Sequence) and not isinstance(value, str):
        (item,) = get_args(wanted) or (Any,)
        return tuple(frozen_value(one) if item is Any else read_as(item, one) for one in value)
    if origin is dict and isinstance(value, Mapping):
        _, item = get_args(wanted) or (str, Any)
        read = {str(key): frozen_value(one) if item is Any else read_as(item, one) for key, one in value.items()}
        return MappingProxyType(read)
    if origin is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin in (int, float, bool) and type(value) is origin:
        return value
    raise ValueError(f"it must be {_NAMES[origin]}")


_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "`true` or `false`",
    list: 'a list, as JSON: ["a", "b"]',
    dict: 'a mapping, as JSON: {"a": 1}',
}


def _parsed(text: str, wanted: Any) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"it must be {_NAMES[get_origin(wanted) or wanted]}") from None
