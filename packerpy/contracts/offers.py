"""Asks whether a value has an ability."""

from __future__ import annotations

from functools import cache
from typing import TypeGuard, TypeVar

T = TypeVar("T")


def offers(value: object, ability: type[T]) -> TypeGuard[T]:
    """Like ``isinstance(value, ability)``, asked once a class: a check by protocol is slow where values are many."""
    return _class_offers(type(value), ability)  # type: ignore[arg-type]


@cache
def _class_offers(cls: type, ability: type) -> bool:
    return issubclass(cls, ability)
