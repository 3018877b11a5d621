"""A boot command in pieces, each with what it is for; apart from its grammar, which most machines need not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from packerpy.declare import Later
from packerpy.declare.declaration import AS_ITEM, declaration
from packerpy.declare.fields import one_or_many
from packerpy.declare.values import Text
from packerpy.errors import DeclarationError


def typed(value: Text | Iterable[Text]) -> tuple[Text, ...]:
    """One text or several."""
    return one_or_many(value)


@declaration
class BootStep:
    """What is typed, and why.

    :ivar command: texts, which are joined.
    :ivar description: told when its turn comes; empty tells nothing.
    """

    command: tuple[Text, ...] = attrs.field(converter=typed, metadata=AS_ITEM)
    description: str = attrs.field(default="", metadata={"key": False})


def boot_steps(value: Iterable[BootStep | Sequence[object]]) -> tuple[BootStep, ...]:
    """Pairs of command and description; the description may be left out.

    :raises DeclarationError: an item is no such pair.
    """
    return tuple(item if isinstance(item, BootStep) else _step(item) for item in value)


def _step(item: Sequence[object]) -> BootStep:
    if isinstance(item, str) or not 1 <= len(item) <= 2 or not all(isinstance(text, (str, Later)) for text in item[1:]):
        raise DeclarationError(
            "a step of boot_steps is a pair of what is typed and what it is for",
            details=f"seen: {item!r}",
            resolution='write it like ("<esc><wait>", "leave the menu")',
        )
    return BootStep(*item)  # type: ignore[arg-type]
