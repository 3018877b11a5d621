"""The workers."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Protocol

from packerpy.contracts import Communicator, Provisioner, Run, SupportsReconnect
from packerpy.errors import CommunicatorError, PluginError, ProvisionError
from packerpy.provisioners.common import demand
from packerpy.provisioners.waiting.specs import Sleep
from packerpy.values import Command, Machine

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_PATIENCE = 60.0
"""Seconds in which a machine that has just been started answers one command."""

_SIGNALLED = 128
_PAUSE = 0.5
"""Seconds between two looks; what is awaited happens inside the machine, which has no event for us."""


class Restarts(Protocol):
    """A declaration of a restart."""

    @property
    def command(self) -> str:
        """What restarts it."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds for all of it."""
        ...

    @property
    def ready(self) -> str:
        """A command that succeeds when it is done."""
        ...


class SleepWorker(Provisioner):
    """Waits."""

    def __init__(self, spec: Sleep) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        run.wait(self._spec.seconds)


class RebootWorker(Provisioner):
    """The kernel's boot id tells one start of a machine from the next.

    :param spec: what restarts it, and when that is done.
    :param boot: prints something that every start of the machine has to itself.
    :param sudo: whether its commands need it.
    """

    def __init__(self, spec: Restarts, boot: str = BOOT_ID, *, sudo: bool = True) -> None:
        self._spec, self._sudo = spec, sudo
        self._boot = Command(line=boot, timeout=_PATIENCE)

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        if not isinstance(channel, SupportsReconnect):
            raise PluginError(
                "this machine cannot be restarted: its channel cannot be opened again",
                resolution="restart only machines that are booted, not trees of files",
            )
        before = demand(channel, self._boot).strip()
        deadline = time.monotonic() + self._spec.timeout
        self._restart(channel)
        run.say("waiting for the machine to come back")
        while self._boot_id(channel, channel, deadline) in (before, ""):
            self._pause(run, deadline, "it still is the old boot")
        while not self._is_ready(channel):
            self._pause(run, deadline, f"`{self._spec.ready}` does not succeed")

    def _restart(self, channel: Communicator) -> None:
        """A machine that goes down may end the command, or the channel, before it could answer."""
        try:
            done = channel.run(Command(line=self._spec.command, sudo=self._sudo, timeout=self._spec.timeout))
        except CommunicatorError:
            return
        if not done.ok and done.exit_status < _SIGNALLED:
            raise ProvisionError(
                f"`{self._spec.command}` ended with exit code {done.exit_status}",
                details=(done.stderr or done.stdout).strip(),
            )

    def _boot_id(self, channel: Communicator, line: SupportsReconnect, deadline: float) -> str:
        """As the machine tells it now; empty while it does not."""
        try:
            line.reconnect(max(1.0, deadline - time.monotonic()))
            done = channel.run(self._boot)
        except CommunicatorError as error:
            if time.monotonic() >= deadline:
                raise ProvisionError(
                    f"the machine did not come back within {self._spec.timeout:g} s of its restart", details=str(error)
                ) from error
            return ""
        return done.stdout.strip() if done.ok else ""

    def _is_ready(self, channel: Communicator) -> bool:
        with suppress(CommunicatorError):
            return channel.run(Command(line=self._spec.ready, sudo=self._sudo, timeout=_PATIENCE)).ok
        return False

    def _pause(self, run: Run, deadline: float, seen: str) -> None:
        if time.monotonic() >= deadline:
            raise ProvisionError(
                f"the machine was not restarted within {self._spec.timeout:g} s",
                details=seen,
                resolution="raise timeout=, or look at the machine's console",
            )
        run.wait(_PAUSE)
