"""Large uploads over SSH, for what the agent does badly.

Measured in an emulated guest on a busy host with random bytes: 16 MB up took the agent 46 s and SSH 18 s, after 2 to
11 s for its login; 4 MB took 15 s and 21 s. Down, with 11 s and 12 s, there is nothing to be gained, and short commands
take the agent a third of the time.
"""

from __future__ import annotations

import shlex
from typing import IO, TYPE_CHECKING

from packerpy.communicators.ssh.specs import SSH
from packerpy.contracts import Run
from packerpy.errors import CommunicatorError
from packerpy.values import Machine

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel

LARGE = 8 << 20
"""Bytes from which on a login pays, also the first."""


class Uploads:
    """One SSH connection to the same machine, opened when it is first needed; given up when it does not work.

    :param spec: how to log in; ``None`` for never.
    """

    def __init__(self, run: Run, machine: Machine, spec: SSH | None) -> None:
        self._run, self._machine, self._spec = run, machine, spec
        self._channel: SSHChannel | None = None
        self._usable = self._can_log_in()

    def write(self, name: str, data: IO[bytes], size: int) -> bool:
        """Write the file ``name`` in the machine, as root; answers whether that was done.

        It is not for what is too small, or where SSH does not work; then nothing is known of the file's content.

        :param data: the file is read to its end.
        :param size: how many bytes that are.
        """
        if size < LARGE or not self._usable:
            return False
        name = shlex.quote(name)
        line = f'cat >{name} && [ "$(wc -c <{name})" -eq {size} ]'
        from packerpy.communicators.ssh.shell_files import copy

        try:
            if self._channel is None:
                self._channel = self._opened()
            self._channel.transfer(line, "an upload", feed=lambda write: copy(data, write), sudo=True)
        except CommunicatorError as error:
            self._run.say(f"large files go through the guest agent, which is slow, as SSH does not work: {error.brief}")
            self.close()
            self._usable = False
            return False
        return True

    def reset(self) -> None:
        """The machine was started anew, or restored: try again what did not work."""
        self.close()
        self._usable = self._can_log_in()

    def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _can_log_in(self) -> bool:
        spec, endpoint = self._spec, self._machine.endpoint
        if spec is None or not (spec.host or endpoint.host):
            return False
        return bool(endpoint.key_file or spec.key_files or spec.password or spec.agent)

    def _opened(self) -> SSHChannel:
        from packerpy.communicators.ssh.connector import SSHConnector

        assert self._spec is not None  # noqa: S101  else it is not usable
        return SSHConnector(self._spec).connect(self._run, self._machine)
