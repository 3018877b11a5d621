"""What can be wrong with a wrapped step."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from packerpy.contracts import ProvisionerSpec
from packerpy.provisioners.meta.specs import Meta, Step, with_fields
from packerpy.values import Problem


def problems(meta: Meta) -> Iterator[Problem]:
    """All of them."""
    for index, member in enumerate(meta.members):
        place = "" if isinstance(meta, Step) else f"steps[{index}]"
        for problem in _of_member(member):
            yield problem.within(place) if place else problem
    if not meta.members:
        yield Problem(where="steps", what="a group has no step")
    if meta.only and meta.except_:
        yield Problem(what="both only and except_ are given", fix="one of them says it all")
    yield from _of_override(meta)
    yield from _of_numbers(meta)
    when: object = meta.when
    if not (when is None or isinstance(when, Mapping) or callable(when)):
        yield Problem(where="when", what="neither facts nor a function", seen=repr(when)[:80])


def _of_member(member: object) -> Iterator[Problem]:
    if inspect.isclass(member) or not callable(getattr(member, "check", None)):
        yield Problem(what="is not a provisioner or a function", seen=repr(member)[:80])
        return
    yield from member.check()  # type: ignore[attr-defined]


def _of_override(meta: Meta) -> Iterator[Problem]:
    override: Mapping[str, object] = meta.override
    for glob, fields in override.items():
        place = f"override[{glob}]"
        if not isinstance(fields, Mapping):
            yield Problem(where=place, what="says no fields", seen=repr(fields)[:80], fix="give {field: value}")
            continue
        for member in meta.members:
            yield from (problem.within(place) for problem in _of_variant(member, fields))


def _of_variant(member: ProvisionerSpec, fields: Mapping[str, object]) -> Iterator[Problem]:
    try:
        variant = with_fields(member, fields)
    except Exception as error:  # noqa: BLE001  whatever a declaration has against the values
        yield Problem(what=f"cannot be a {getattr(member, 'kind', 'step')}", seen=str(error))
        return
    known = set(_of_member(member))
    yield from (problem for problem in _of_member(variant) if problem not in known)


def _of_numbers(meta: Meta) -> Iterator[Problem]:
    for name, least in (("pause_before", 0.0), ("backoff", 0.0), ("retries", 0)):
        value = getattr(meta, name)
        if value < least:
            yield Problem(where=name, what="must not be negative", seen=str(value))
    retries: object = meta.retries
    if not isinstance(retries, int):
        yield Problem(where="retries", what="must be a whole number", seen=str(retries))
    for name in ("timeout", "max_age"):
        value = getattr(meta, name)
        if value is not None and value <= 0:
            yield Problem(where=name, what="must be more than 0 seconds", seen=str(value))
