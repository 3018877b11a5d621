"""Steps that turn one artifact into another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from packerpy.contracts.run import Run
from packerpy.values import Artifact, Problem, Processed


class PostProcessorSpec(Protocol):
    """A post-processor as declared: a frozen, hashable attrs value."""

    kind: ClassVar[str]

    keeps_input: ClassVar[bool] = True
    """Whether its input stays a result when the declaration's field ``keep_input`` says nothing (``None``)."""

    needs_files: ClassVar[bool] = False
    """Whether it works on an artifact's files, so that it can do nothing for what lies on a platform only."""

    makes_files: ClassVar[bool | None] = None
    """Whether its result has files; ``None`` where it has those of its input."""

    @property
    def title(self) -> str:
        """One line for people."""
        ...

    def check(self) -> Iterable[Problem]:
        """All problems of the declaration; offline and pure."""
        ...

    def load(self) -> PostProcessor:
        """The worker."""
        ...


class PostProcessor(Protocol):
    """Does it; new files go to ``run.staging``.

    :raises packerpy.errors.PostProcessError: it failed.
    """

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Make the new artifact; the input's files are not changed."""
        ...
