"""How to talk to a guest agent, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from packerpy.communicators.ssh.specs import SSH
from packerpy.contracts import CommunicatorSpec, TellsTheWay
from packerpy.declare.declaration import declaration
from packerpy.values import Machine, Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Connector


_UPLOADS = SSH(timeout=60, handshake_attempts=2)
"""The machine has booted, and its server either runs or does not."""


@declaration(kw_only=True)
class GuestAgent(CommunicatorSpec, TellsTheWay):
    """QEMU's guest agent, over the serial port that the machine's platform made for it.

    It needs no network, no login and no keys: there is no key exchange (nearly 4 s under emulation), and the channel
    works as soon as the agent does. Its commands run as root, in root's home folder, with a plain environment; no login
    script is read. Everything travels as base64 inside JSON. In an emulated guest 0.3 to 0.7 MB/s were measured upwards
    and about 2 MB/s downwards, some twenty times that without emulation; so uploads from 8 MiB on go over SSH, where
    the machine has it and a key for it is known. That connection is opened when it is first needed.

    :param user: who commands run as; ``root`` unless given. Files are always put as root, and belong to this user.
    :param timeout: seconds to wait for the agent's first answer, from the moment the machine was started; as for SSH.
    :param network: seconds to wait for a default route and a name server after that: the agent may answer before the
        machine's network is up, which over SSH cannot be. If they do not come it goes on without them, and says so; 0
        for machines that have none.
    :param uploads: how to log in over SSH for large uploads; ``None`` for never. Where it does not work, they go
        through the agent, and the log says so.
    """

    kind: ClassVar[str] = "agent"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`GuestAgent`", "qemu-ga 7.2, on the host and in Debian 12 guests", "run"),
        Support(
            "`GuestAgent`: large uploads over SSH", "qemu-ga 7.2 with OpenSSH 9.2, on the host and in guests", "run"
        ),
    )

    user: str | None = None
    timeout: float = 300.0
    network: float = 30.0
    uploads: SSH | None = _UPLOADS

    def check(self) -> Iterable[Problem]:
        """Names not empty, times in range."""
        if self.user is not None and (not self.user or self.user.startswith("-")):
            yield Problem(where="user", what="not a user name", seen=self.user, fix="leave it out for root")
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))
        if self.network < 0:
            yield Problem(where="network", what="must not be negative", seen=str(self.network), fix="0 is off")
        if self.uploads is not None:
            yield from (problem.within("uploads") for problem in self.uploads.check())

    def by_hand(self, machine: Machine, folder: Path) -> str | None:
        """See :class:`packerpy.contracts.TellsTheWay`: by SSH, where there is a key for it."""
        known = machine.endpoint.host and machine.endpoint.key_file is not None
        return (self.uploads or SSH()).by_hand(machine, folder) if known else None

    def load(self) -> Connector:
        """The worker."""
        from packerpy.communicators.agent.connector import AgentConnector

        return AgentConnector(self)
