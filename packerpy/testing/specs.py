"""Provisioners made of a function of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import attrs

from packerpy.contracts import Communicator, Provisioner, ProvisionerSpec, Run
from packerpy.values import Machine, Problem


@attrs.frozen
class Steps(ProvisionerSpec, Provisioner):
    """Calls ``call(run, channel)``; has no key of its own, so that it is never re-used.

    :param call: the step.
    :param secret: a secret it reveals, so that validation and keys see it.
    """

    kind: ClassVar[str] = "testing.steps"

    call: Callable[[Run, Communicator], None]
    secret: Any = None

    @property
    def title(self) -> str:
        """The function's name."""
        return getattr(self.call, "__name__", "steps")

    def check(self) -> Iterable[Problem]:
        """Nothing can be wrong."""
        return ()

    def load(self) -> Provisioner:
        """It is its own worker."""
        return self

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """Call it."""
        self.call(run, channel)


@attrs.frozen
class Broken(ProvisionerSpec, Provisioner):
    """Raises ``error``."""

    kind: ClassVar[str] = "testing.broken"

    error: BaseException = attrs.field(eq=False)

    @property
    def title(self) -> str:
        """What it raises."""
        return f"raise {type(self.error).__name__}"

    def check(self) -> Iterable[Problem]:
        """Nothing can be wrong."""
        return ()

    def load(self) -> Provisioner:
        """It is its own worker."""
        return self

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """Raise."""
        raise self.error
