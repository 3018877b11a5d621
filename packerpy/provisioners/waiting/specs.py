"""The declarations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

REBOOT = "systemctl reboot 2>/dev/null || reboot || shutdown -r now"
"""For systems with and without systemd."""


@declaration
class Sleep(ProvisionerSpec):
    """Waits for a time. What there is an event for is better awaited by a :class:`Check` in the machine.

    :param seconds: how long.
    """

    kind: ClassVar[str] = "sleep"
    support: ClassVar[tuple[Support, ...]] = (Support("`Sleep`", "the host's clock", "run"),)

    seconds: float

    @property
    def title(self) -> str:
        """How long."""
        return f"wait {self.seconds:g} s"

    def check(self) -> Iterable[Problem]:
        """Not into the past."""
        if self.seconds <= 0:
            yield Problem(where="seconds", what="must be more than 0", seen=str(self.seconds))

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.waiting.worker import SleepWorker

        return SleepWorker(self)


@declaration(kw_only=True)
class Reboot(ProvisionerSpec):
    """Starts a Linux machine anew, and waits until it has: until it answers and says that it was booted another time.

    :param command: what restarts it, as root.
    :param timeout: seconds for all of it; Packer's 5 minutes for Windows.
    :param ready: a command that must succeed before the step ends, tried until the time is up.
    """

    kind: ClassVar[str] = "reboot"
    support: ClassVar[tuple[Support, ...]] = (Support("`Reboot`", "Debian 12 guest through its agent", "run"),)

    command: str = REBOOT
    timeout: float = 300.0
    ready: str = "true"

    @property
    def title(self) -> str:
        """What it does."""
        return "restart the machine"

    def check(self) -> Iterable[Problem]:
        """A command, and time for it."""
        for name in ("command", "ready"):
            if not getattr(self, name).strip():
                yield Problem(where=name, what="is empty", fix="leave it out")
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.waiting.worker import RebootWorker

        return RebootWorker(self)
