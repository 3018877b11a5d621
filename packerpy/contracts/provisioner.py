"""Steps that change a machine, and checks that look at one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from packerpy.contracts.communicator import Communicator
from packerpy.contracts.run import Run
from packerpy.values import Machine, Problem


class ProvisionerSpec(Protocol):
    """A provisioning step, or a test of an image, as declared: a frozen, hashable attrs value."""

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """One line for people: what this step does."""
        ...

    def check(self) -> Iterable[Problem]:
        """All problems of the declaration; offline and pure but for the existence of files it reads."""
        ...

    def load(self) -> Provisioner:
        """The worker."""
        ...


class Provisioner(Protocol):
    """Does the step.

    :raises packerpy.errors.ProvisionError: it failed.
    :raises packerpy.errors.CheckError: the image is not what the test says it must be.
    """

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """Change (or, as a test, look at) the machine."""
        ...
