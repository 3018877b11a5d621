"""Converters of fields that are given several things, and questions about fields.

A field has the type of what the worker finds in it, for the engine has put the value in by then; before that, what
stands for the value stands there as it is. Whoever looks at a declaration earlier asks by :func:`known`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, cast

from packerpy.declare.later import Later
from packerpy.declare.values import Text
from packerpy.errors import DeclarationError

Place = str | Path | Later
"""What a field for a path of the host is given."""

Word = str | Later
"""What a field for a word is given."""


def known(value: object) -> bool:
    """Whether a field has its value already."""
    return not isinstance(value, Later)


def host_path(value: Place) -> Path:
    """A path of the host.

    :raises DeclarationError: something else was put in the place of what stood for it, such as a secret.
    """
    if isinstance(value, (str, Path)):
        return Path(value)
    if not isinstance(value, Later):
        raise _no_path(value)
    return cast("Path", value)


def optional_path(value: Place | None) -> Path | None:
    """A path of the host, or none."""
    return None if value is None else host_path(value)


def host_paths(value: Place | Iterable[Place]) -> tuple[Path, ...]:
    """One path of the host, or many."""
    return tuple(map(host_path, one_or_many(value)))


def word_list(value: Word | Iterable[Word | Iterable[Word]] | None) -> tuple[str, ...]:
    """One word or many."""
    return () if value is None else one_or_many(value)


def one_or_many(value: Any) -> tuple[Any, ...]:
    """Items, each given itself or in a list; a list stands for its items, for a variable may turn out to be one."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return (value,)
    return tuple(part for item in value for part in one_or_many(item))


def as_declared(value: Any) -> Any:
    """Text, because a trailing slash means something; what is known later stays until then.

    :raises DeclarationError: it is neither text nor path.
    """
    if value is None or isinstance(value, (str, Later)):
        return value
    if not isinstance(value, PurePath):
        raise _no_path(value)
    return str(value)


def _no_path(value: object) -> DeclarationError:
    brief = f"a {type(value).__name__} stands where a path belongs"
    return DeclarationError(brief, resolution="give a text or a pathlib.Path")


def text_map(value: Mapping[str, Text] | None) -> Mapping[str, Text]:
    """Texts by name, in sorted order, read-only."""
    return MappingProxyType(dict(sorted((value or {}).items())))


def pairs(value: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A read-only mapping as something that can be compared and hashed."""
    return tuple(value.items())
