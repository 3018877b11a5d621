"""The worker."""

from __future__ import annotations

import re
import time

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.provisioners.common import command_line, perform
from packerpy.provisioners.packages import managers
from packerpy.provisioners.packages.specs import Packages
from packerpy.values import Command, Machine

_PAUSE = 2.0
"""Seconds between two looks at a locked database."""


class PackagesWorker(Provisioner):
    """Finds the manager and tells it what to do."""

    def __init__(self, spec: Packages) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        program = self._program(channel)
        for words in managers.commands(program, self._spec):
            self._unlocked(run, channel, Command(line=command_line(words), env=managers.ENVIRONMENT, sudo=True))

    def _program(self, channel: Communicator) -> str:
        if self._spec.manager is not None:
            return managers.PROGRAMS[self._spec.manager]
        found = channel.run(Command(line=managers.FIND)).stdout.strip()
        if not found:
            raise ProvisionError(
                "the guest has none of apt, dnf and apk", resolution="install its packages with a Shell step"
            )
        return found

    def _unlocked(self, run: Run, channel: Communicator, command: Command) -> None:
        deadline = time.monotonic() + self._spec.lock_timeout
        while True:
            try:
                perform(run, channel, command, f"`{command.line}`")
            except ProvisionError as error:
                if not re.search(managers.LOCKED, error.details or "") or time.monotonic() >= deadline:
                    raise
                run.say("the database of packages is in use, waiting")
                run.wait(_PAUSE)
            else:
                return
