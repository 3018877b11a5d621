"""Platforms: where machines come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from packerpy.contracts.communicator import Communicator
from packerpy.contracts.run import Run
from packerpy.values import Artifact, Machine, Problem


class SourceSpec(Protocol):
    """A source as declared: a frozen, hashable attrs value."""

    kind: ClassVar[str]

    makes_files: ClassVar[bool] = True
    """Whether what it captures are files of the host, and not things on a platform only."""
    """``qemu``, ``amazon.ebs``; also the name of the build when an image has several sources."""

    def check(self) -> Iterable[Problem]:
        """All problems of the declaration; offline and pure."""
        ...

    def load(self) -> Source:
        """The worker; the only door to a heavy import."""
        ...


class Source(Protocol):
    """One platform's worker. What it acquires, it acquires by steps of the run."""

    def preflight(self, run: Run) -> Iterable[Problem]:
        """Ask host and platform whether the build can work (tools, quotas, names); changes nothing."""
        ...

    def boot(self, run: Run) -> Machine:
        """Bring up a machine."""
        ...

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Stop the machine and turn it into an artifact, with its files in ``run.staging``."""
        ...
