"""Whether a value that became known fits into the field that holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from packerpy.declare.later import Joined, Later
from packerpy.declare.values import Secret
from packerpy.declare.variable import Variable
from packerpy.declare.walk import PLAIN, find, has
from packerpy.errors import DeclarationError
from packerpy.values import Problem

_LONGEST = 100
"""Characters of a value that an error shows."""
_SAMPLES: tuple[tuple[type, object], ...] = ((float, 0.5), (int, 1), (bool, True), (list, ()), (dict, {}), (str, ""))
"""Types of variables, each with a value; what takes any number takes whole ones too."""


def misfit(cls: type, name: str, before: object, value: object) -> Problem | None:
    """What is wrong with a field's new value.

    :param before: what stood for it, or held what did.
    :param value: as it was given, before the field's converter has seen it.
    """
    if not isinstance(before, (Later, tuple, Mapping)) or not has(before, Later):
        return None  # a declaration was filled, whose own fields were looked at, or a reference was exchanged
    secret = _secret_in(value)
    if secret is None and has(value, Later):
        return None
    held: object = secret or value
    refusal: Problem | None = None
    try:
        held = secret or _converted(cls, name, value)
    except (DeclarationError, TypeError, ValueError, AttributeError) as error:
        refusal = told(error)
    hint = _hints(cls).get(name, Any)
    if refusal is None and (_plain_fits if type(held) in PLAIN else _fits)(hint, held):
        return None
    if isinstance(held, Secret):
        fix = "give a plain value; nothing here could keep a secret"
        return Problem(where=name, what="cannot be a secret", seen=repr(held), fix=fix)
    wrong = Problem(what=f"has a value of the wrong type: it takes {_shown(hint)}", fix=_retyped(cls, name, before))
    return attrs.evolve(refusal or wrong, where=name, seen=_seen(value))


def domain(cls: Any, name: str) -> tuple[object, ...]:
    """Values that a field may have, as far as they can be listed: its default, truth values, words, nothing."""
    field, hint = getattr(attrs.fields(cls), name), _hints(cls).get(name, Any)
    listed = [value for one in (hint, *get_args(hint)) for value in _listed(one)]
    default = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return tuple(listed) if default.takes_self else (default.factory(), *listed)
    return tuple(listed) if default is attrs.NOTHING else (default, *listed)


def _listed(hint: Any) -> tuple[object, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return (False, True) if hint is bool else (None,) if hint is NoneType else ()


def told(error: Exception) -> Problem:
    """The refusal of a class or a converter as a problem."""
    if isinstance(error, DeclarationError):
        return Problem(what=error.brief, seen=error.details, fix=error.resolution)
    return Problem(what=f"cannot have this value: {error}")


def _secret_in(value: object) -> Secret | None:
    """The secret in a text that only the step which uses it can know; ``None`` for all else."""
    is_whole = isinstance(value, Joined) and not has(value.parts, Later)
    return next(find(value, Secret), None) if is_whole else None


def _converted(cls: Any, name: str, value: object) -> object:
    convert: Any = getattr(attrs.fields(cls), name).converter
    return value if convert is None else convert(value)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    """The types of its fields; nothing of a class whose types cannot be found out."""
    try:
        hints = get_type_hints(cls)
    except NameError:
        return {}
    return {field.name: _as_given(hints[field.name]) for field in attrs.fields(cls)}


def _as_given(hint: Any) -> Any:
    """Numbers become text where there may be secrets, too: both when the text is used."""
    origin, inside = get_origin(hint), get_args(hint)
    if not inside or origin in (Literal, Callable):
        return hint
    given = tuple(map(_as_given, inside))
    if origin in (Union, UnionType):
        return Union[(*given, *((int, float) if {str, Secret} <= set(inside) else ()))]
    return origin[given]


def _fits(hint: Any, value: object) -> bool:
    import typeguard

    try:
        typeguard.check_type(value, hint, collection_check_strategy=typeguard.CollectionCheckStrategy.ALL_ITEMS)
    except typeguard.TypeCheckError:
        return False
    return True


@lru_cache(maxsize=1024, typed=True)
def _plain_fits(hint: Any, value: object) -> bool:
    return _fits(hint, value)


def _shown(hint: Any) -> str:
    """A type for people: ``int or None``."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        hidden = {Later, str, Secret, int, float} if {str, Secret} <= set(inside) else {Later}
        text = ["Text"] if Secret in hidden else []
        return " or ".join((*text, *(_shown(one) for one in inside if one not in hidden)))
    if origin is Literal:
        return " or ".join(map(repr, inside))
    if inside and origin is not Callable:
        return f"{origin.__name__}[{', '.join(map(_shown, inside))}]"
    if hint in (NoneType, ...):
        return "None" if hint is NoneType else "..."
    return str(getattr(hint, "__name__", hint))


def _seen(value: object) -> str:
    return repr(value) if len(repr(value)) <= _LONGEST else f"{repr(value)[:_LONGEST]} …"


def _retyped(cls: type, name: str, before: object) -> str | None:
    """How to declare a variable that fits; one that nobody gives a type is a text, which is forgotten easily."""
    if not isinstance(before, Variable):
        return None
    fitting = next((type_ for type_, sample in _SAMPLES if _takes(cls, name, sample)), None)
    if fitting in (None, before.wanted):
        return None
    return f"declare it as Variable({before.name!r}, type={fitting.__name__})"


def _takes(cls: type, name: str, sample: object) -> bool:
    try:
        return _fits(_hints(cls).get(name, Any), _converted(cls, name, sample))
    except (DeclarationError, TypeError, ValueError, AttributeError):
        return False
