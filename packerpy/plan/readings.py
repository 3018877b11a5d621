"""What was read from data sources before planning, and which tasks use it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import attrs

from packerpy.declare import Secret
from packerpy.plan.tasks import Task, TaskKind
from packerpy.values import DataFacts

_LONGEST = 1000
"""Characters of a value that is written down as it is."""


@attrs.frozen(kw_only=True)
class Reading:
    """One data source that was read.

    :ivar id: of its task in the plan: ``read/git_revision``.
    :ivar title: one line for people.
    :ivar needs: ids of the readings that it stands on.
    :ivar spec: the declaration, filled in.
    """

    id: str
    title: str
    needs: tuple[str, ...]
    spec: object = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Use:
    """A value of a data source that a task uses.

    :ivar reading: id of the reading.
    :ivar label: what is used, for people: ``git_revision.commit``.
    :ivar value: the value; secret ones stand in a ``Secret``.
    """

    reading: str
    label: str
    value: object = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Readings:
    """All of them.

    :ivar read: in an order in which each comes after those that it stands on.
    :ivar uses: ``(build, what)`` of a task → what it uses.
    """

    read: tuple[Reading, ...] = ()
    uses: Mapping[tuple[str, str], tuple[Use, ...]] = attrs.field(factory=dict)


def data_facts(readings: Readings, build: str, secrets: Mapping[Secret, str]) -> tuple[DataFacts, ...]:
    """What a build uses of data sources, fit to be written down.

    :param secrets: secret → its keyed hash.
    """
    used: dict[str, dict[str, str]] = {}
    for (name, _), uses in readings.uses.items():
        for use in uses if name == build else ():
            used.setdefault(use.reading, {})[use.label] = _told(use.value, secrets)
    return tuple(
        DataFacts(id=reading.id, title=reading.title, values=used[reading.id])
        for reading in readings.read
        if reading.id in used
    )


def _told(value: object, secrets: Mapping[Secret, str]) -> str:
    plain = _plain(value, secrets)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _plain(value: object, secrets: Mapping[Secret, str]) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item, secrets) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item, secrets) for item in value]
    return f"hmac-sha256:{secrets[value]}" if isinstance(value, Secret) else value


def reads(readings: Readings) -> tuple[Task, ...]:
    """The readings as tasks of a plan."""
    return tuple(
        Task(
            id=reading.id,
            build="",
            kind=TaskKind.READ,
            title=reading.title,
            key=None,
            needs=reading.needs,
            action="read",
            reason="what it answers decides keys",
            spec=reading.spec,
        )
        for reading in readings.read
    )
