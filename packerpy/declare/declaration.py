"""The decorator of everything that users write.

Every field of such a class may hold what is known only later. The field has the type of what the worker finds in it,
for the engine has put the value in by then; before that, what stands for the value stands there as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import attrs

from packerpy.declare.later import Later
from packerpy.errors import DeclarationError

__all__ = ["AS_ITEM", "FROM_CALLER", "declaration"]

AS_ITEM = {"later": "item"}
"""Metadata of a tuple's field that is looked into before all is known: what is not, stands in it as an item."""

FROM_CALLER = {"later": "caller"}
"""Metadata of a field that decides what is built: only variables, and what is made of them, may stand for its value."""

_SAID = re.compile(r"\b(Later|Text|Place|Word|Any)\b")
"""Types of which everybody knows that they take what is known later."""

Transformer = Callable[[type, list["attrs.Attribute[Any]"]], list["attrs.Attribute[Any]"]]

_DONE = "asked_unless_later"
"""Attribute of a converter that a class inherits with its field."""

if TYPE_CHECKING:
    from attrs import frozen as declaration
else:

    def declaration(cls: Any = None, /, *, field_transformer: Transformer | None = None, **options: Any) -> Any:
        """``attrs.frozen`` whose fields may all hold what is known :class:`Later`, and whose signature says so.

        A converter, or what makes a field comparable, is asked only once there is a value.
        """
        if cls is None:
            return partial(declaration, field_transformer=field_transformer, **options)

        def transformed(cls: type, fields: list[attrs.Attribute]) -> list[attrs.Attribute]:
            own = fields if field_transformer is None else field_transformer(cls, fields)
            return [field if field.metadata.get("later") == "item" else _taking_later(field) for field in own]

        made = attrs.frozen(cls, field_transformer=transformed, **options)
        _say_later(made)
        return made


def _taking_later(field: attrs.Attribute[Any]) -> attrs.Attribute[Any]:
    asked = {name: getattr(field, name) for name in ("converter", "eq_key", "order_key")}
    new = {name: _unless_later(call) for name, call in asked.items() if call and not hasattr(call, _DONE)}
    if field.metadata.get("later") == "caller" and not hasattr(field.converter, _DONE):
        new["converter"] = _unless_too_late(field.name, new.get("converter", _itself))
    return field.evolve(**new) if new else field


def _itself(value: Any) -> Any:
    return value


def _unless_later(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(call)
    def unless_later(value: Any) -> Any:
        return value if isinstance(value, Later) else call(value)

    setattr(unless_later, _DONE, True)
    return unless_later


def _unless_too_late(name: str, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(call)
    def unless_too_late(value: Any) -> Any:
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, Later) and not item.from_caller:
                brief = f"{name}= decides what is built, and {item.shown} is known only after that"
                raise DeclarationError(brief, resolution="give the value itself, or a Variable")
        return call(value)

    setattr(unless_too_late, _DONE, True)
    return unless_too_late


def _say_later(cls: Any) -> None:
    """Put it into the types of the constructor's arguments, for people; type checkers know it of :class:`Later`."""
    types = cls.__init__.__annotations__
    for field in attrs.fields(cls):
        shown = types.get(field.alias, field.type)
        if field.init and isinstance(shown, str) and not _SAID.search(shown):
            types[field.alias] = f"{shown} | Later"
