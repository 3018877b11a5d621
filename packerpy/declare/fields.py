"""Converters of fields that may hold something known only later.

A field of that kind has the type of what the worker finds in it, for the engine has put the value in by then; before
that, what stands for the value stands there as it is. Whoever looks at a declaration earlier asks by :func:`known`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
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
        raise DeclarationError(
            f"a {type(value).__name__} stands where a path belongs", resolution="give a text or a pathlib.Path"
        )
    return cast("Path", value)


def optional_path(value: Place | None) -> Path | None:
    """A path of the host, or none."""
    return None if value is None else host_path(value)


def host_paths(value: Place | Iterable[Place]) -> tuple[Path, ...]:
    """One path of the host, or many."""
    return (host_path(value),) if isinstance(value, (str, Path, Later)) else tuple(map(host_path, value))


def word_list(value: Word | Iterable[Word] | None) -> tuple[str, ...]:
    """One word or many."""
    if value is None:
        return ()
    return cast("tuple[str, ...]", (value,) if isinstance(value, (str, Later)) else tuple(value))


def as_declared(value: Any) -> Any:
    """Text, because a trailing slash means something; what is known later stays until then."""
    return value if value is None or isinstance(value, Later) else str(value)


def text_map(value: Mapping[str, Text] | None) -> Mapping[str, Text]:
    """Texts by name, in sorted order, read-only."""
    return MappingProxyType(dict(sorted((value or {}).items())))


def pairs(value: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A read-only mapping as something that can be compared and hashed."""
    return tuple(value.items())
