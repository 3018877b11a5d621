"""How values of the declarations are taken, and what all JSON documents of Amazon's have to be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from packerpy.values import Problem


def hash_map(value: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """A read-only mapping, comparable."""
    return tuple(value.items())


def texts(value: Iterable[str] | str) -> tuple[str, ...]:
    """One text or many."""
    return (value,) if isinstance(value, str) else tuple(value)


def as_json(value: str | Mapping[str, Any] | None) -> str | None:
    """A document as text."""
    return value if value is None or isinstance(value, str) else json.dumps(dict(value), sort_keys=True)


def policy_problems(where: str, policy: str | None) -> Iterable[Problem]:
    """Whether a text is a policy."""
    if policy is None:
        return
    try:
        document = json.loads(policy)
    except ValueError as error:
        yield Problem(where=where, what=f"is not JSON: {error}", fix="give a policy document")
        return
    if not isinstance(document, dict) or not document.get("Statement"):
        fix = 'write {"Version": "2012-10-17", "Statement": […]}'
        yield Problem(where=where, what="is not a policy: it has no Statement", fix=fix)
