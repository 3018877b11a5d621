"""What must be true of a machine, as declared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner


@declaration
class Check(ProvisionerSpec):
    """Runs a command, and fails unless it ends as expected.

    :param command: for the machine's shell.
    :param exit_status: the exit code it must have; ``None`` accepts any.
    :param stdout: a text that its output must contain, or a compiled regular expression that must match somewhere.
    :param sudo: run as root.
    :param timeout: seconds after which a command that hangs is killed, which fails the check.
    :param retry_for: seconds during which a failing check is tried again; a machine that has just booted may still be
        starting its services.
    :param name: one line for people, in place of the command.
    """

    kind: ClassVar[str] = "check"
    support: ClassVar[tuple[Support, ...]] = (Support("`Check`", "OpenSSH server; Debian 12 guests and trees", "run"),)

    command: str
    exit_status: int | None = attrs.field(default=0, kw_only=True)
    stdout: str | re.Pattern[str] | None = attrs.field(default=None, kw_only=True)
    sudo: bool = attrs.field(default=False, kw_only=True)
    timeout: float | None = attrs.field(default=60.0, kw_only=True)
    retry_for: float = attrs.field(default=10.0, kw_only=True)
    name: str = attrs.field(default="", kw_only=True)

    @property
    def title(self) -> str:
        """The given name, or the command."""
        first = self.command.strip().split("\n", 1)[0]
        return self.name or f"check {first[:70]}{' …' if first[:70] != self.command.strip() else ''}"

    def check(self) -> Iterable[Problem]:
        """A command, and numbers in range."""
        if not self.command.strip():
            yield Problem(where="command", what="there is no command")
        if self.exit_status is not None and not 0 <= self.exit_status <= 255:
            yield Problem(where="exit_status", what="must be from 0 to 255", seen=str(self.exit_status))
        if self.timeout is not None and self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))
        if self.retry_for < 0:
            yield Problem(where="retry_for", what="must not be negative", seen=str(self.retry_for))

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.check.worker import CheckWorker

        return CheckWorker(self)
