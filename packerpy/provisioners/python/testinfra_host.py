"""A testinfra host over any channel. Imported only when a function asks for a ``host``."""

from __future__ import annotations

from typing import Any

from testinfra.backend.base import BaseBackend
from testinfra.host import Host

from packerpy.contracts import Communicator, Run
from packerpy.values import Command, Machine


class _ChannelBackend(BaseBackend):  # type: ignore[misc]  # the library has no types
    """Runs testinfra's commands over our channel."""

    NAME = "packerpy"
    HAS_RUN_ANSIBLE = False

    def __init__(self, channel: Communicator, name: str) -> None:
        super().__init__(name)
        self._channel = channel

    def run(self, command: str, *args: str, **_: Any) -> Any:
        """Run one command, with its arguments quoted."""
        line = self.get_command(command, *args)
        done = self._channel.run(Command(line=line))
        return self.result(done.exit_status, line, done.stdout, done.stderr)


def make_host(run: Run, machine: Machine, channel: Communicator) -> Any:  # noqa: ARG001  a host prints nothing
    """The object that testinfra's fixtures call ``host``."""
    return Host(_ChannelBackend(channel, machine.endpoint.host or machine.id))
