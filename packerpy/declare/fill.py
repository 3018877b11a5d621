"""Puts values into declarations in the place of what stands for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from packerpy.declare.later import Composed, Later
from packerpy.declare.reference import Output
from packerpy.declare.values import Secret
from packerpy.declare.walk import has


def fill(value: Any, lookup: Callable[[Later], Any], output: Callable[[Any], Any] = lambda output: output) -> Any:
    """``value`` with every :class:`Later` in it replaced by what ``lookup`` answers; the same object if none is.

    :param lookup: answers its argument itself for what is not its business; what stands inside that is then filled.
    :param output: what an :class:`Output` found on the way becomes.
    """
    if isinstance(value, Later):
        found = lookup(value)
        if found is not value:
            return found
    if isinstance(value, Output):
        return output(value)
    if isinstance(value, tuple):
        filled = tuple(fill(item, lookup, output) for item in value)
        return filled if any(a is not b for a, b in zip(filled, value, strict=True)) else value
    if isinstance(value, Mapping):
        changed = {key: fill(item, lookup, output) for key, item in value.items()}
        return changed if any(changed[key] is not value[key] for key in changed) else value
    if attrs.has(type(value)) and not isinstance(value, Secret):
        return _fill_fields(value, lookup, output)
    return value


def title_of(spec: Any) -> str:
    """A declaration's title, with the names of what is not known yet."""
    shown = fill(spec, lambda later: later.shown) if has(spec, Later) else spec
    try:
        return str(shown.title)
    except Exception:  # noqa: BLE001  a field that wants a number, say, may not be fit to be shown yet
        return str(spec.kind)


def _fill_fields(value: Any, lookup: Callable[[Later], Any], output: Callable[[Any], Any]) -> Any:
    fields = [f for f in attrs.fields(type(value)) if f.init]
    new = {f.name: fill(getattr(value, f.name), lookup, output) for f in fields}
    changes = {f.alias: new[f.name] for f in fields if new[f.name] is not getattr(value, f.name)}
    filled = attrs.evolve(value, **changes) if changes else value
    return filled.settled() if isinstance(filled, Composed) else filled
