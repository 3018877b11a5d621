"""Finds values of a kind anywhere in a declaration."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import attrs

from packerpy.declare.image import Image

T = TypeVar("T")

_LEAVES = (str, bytes, int, float, bool, type(None))
PLAIN = frozenset(_LEAVES)
"""Types of values that hold nothing and stand for nothing but themselves."""

_EMPTY: tuple[()] = ()
"""Most fields hold nothing: they are not even looked into."""

_Inside = Callable[[Any], Iterable[Any]]


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls))


def field_names(cls: Any) -> tuple[str, ...]:
    """Names of the fields of an attrs class, looked up once."""
    return _field_names(cls)


def find(value: Any, wanted: type[T]) -> Iterator[T]:
    """Every ``wanted`` in ``value``, depth first; does not look into the images that outputs refer to."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        inside = _inside_of(type(value), wanted)  # type: ignore[arg-type]
        if inside is None:
            yield value
        else:
            waiting += [item for item in inside(value) if type(item) not in PLAIN and item is not _EMPTY][::-1]


def has(value: Any, wanted: type) -> bool:
    """Whether there is any ``wanted`` in ``value``."""
    return next(find(value, wanted), None) is not None


@cache
def _inside_of(cls: type, wanted: type) -> _Inside | None:
    """What answers the values inside one of this class; ``None`` where it is what is wanted."""
    if issubclass(cls, wanted) and not issubclass(cls, _LEAVES):
        return None
    if issubclass(cls, (Image, *_LEAVES)):
        return _nothing
    if issubclass(cls, (tuple, list, frozenset)):
        return _itself
    if issubclass(cls, Mapping):
        return operator.methodcaller("values")
    names = field_names(cls) if attrs.has(cls) else ()
    if not names:
        return _nothing
    # Of one name, attrgetter answers the value itself.
    return operator.attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


def _nothing(_value: Any) -> Iterable[Any]:
    return ()


def _itself(value: Any) -> Iterable[Any]:
    return value  # type: ignore[no-any-return]
