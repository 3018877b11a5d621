"""Data sources: values that are looked up outside before anything is planned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from packerpy.contracts.run import Run
from packerpy.values import Problem


class DataSpec(Protocol):
    """A data source as declared: a frozen, hashable attrs value; subclass :class:`packerpy.declare.Data`.

    Its own fields may hold variables, secrets and values of other data sources.
    """

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """One line for people: what is read."""
        ...

    @property
    def secret(self) -> bool:
        """Whether every text and number that it reads is a secret; a field ``secret: bool`` of yours may say so."""
        return False

    def check(self) -> Iterable[Problem]:
        """All problems of the declaration; offline and pure."""
        ...

    def load(self) -> DataSource:
        """The worker; the only door to a heavy import."""
        ...


class DataSource(Protocol):
    """Reads it; called once, before planning, for what it answers decides keys.

    :raises packerpy.errors.DataError: it cannot be read.
    """

    def read(self, run: Run) -> object:
        """The value, like JSON: texts, numbers, truth values, ``None``, mappings with text keys, lists of such.

        A ``Secret(value=…)`` may stand in the place of a text; the engine freezes all of it. Nothing outside is
        changed, and ``run`` belongs to no build and has no artifacts.
        """
        ...
