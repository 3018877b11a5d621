"""From a machine that was switched on to an open channel."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from packerpy.communicators.agent import guest_script
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.communicators.agent.session import AgentSession
from packerpy.communicators.agent.specs import GuestAgent
from packerpy.communicators.agent.uploads import Uploads
from packerpy.communicators.agent.wire import Wire
from packerpy.contracts import Connector, Run
from packerpy.errors import CommunicatorError, Disconnected
from packerpy.values import Machine

_LOOK = 0.1
"""Seconds between two looks for the socket, and at whether the machine lives."""


class AgentConnector(Connector):
    """Waits for the guest agent of a machine."""

    def __init__(self, spec: GuestAgent) -> None:
        self._spec = spec

    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> AgentChannel:
        """See :class:`packerpy.contracts.Connector`."""
        path = machine.endpoint.path
        if path is None:
            raise CommunicatorError(
                "the machine has no socket of a guest agent", resolution="use SSH(), or a platform that makes one"
            )
        run.say("waiting for the guest agent")
        dialer = Dialer(run, path, self._spec, died)
        uploads = Uploads(run, machine, self._spec.uploads)
        session = dialer.dial(self._spec.timeout, machine.endpoint.known or None)
        return AgentChannel(run, dialer, session, uploads)


_wires: WeakValueDictionary[Path, Wire] = WeakValueDictionary()
"""Connections by their sockets: an agent serves one client, so all channels of this process to it share one."""


class Dialer:
    """Opens connections to one machine's agent."""

    def __init__(self, run: Run, path: Path, spec: GuestAgent, died: Callable[[], str | None] | None) -> None:
        self._run, self._path, self._spec, self._died = run, path, spec, died
        self._looked = 0.0

    def dial(self, timeout: float, known: Mapping[str, str] | None = None) -> AgentSession:
        """Wait at most ``timeout`` seconds for the agent's first words.

        :param known: see :class:`AgentSession`.
        :raises CommunicatorError: it did not answer; says how far it came.
        """
        shared = _wires.get(self._path)
        if shared is not None and shared.share():
            return self._begun(shared, partial(self._session, shared))
        deadline = time.monotonic() + timeout
        wire = Wire(self._connected(deadline, timeout))
        session = self._begun(wire, lambda: self.resume(wire, deadline - time.monotonic(), timeout, known))
        _wires[self._path] = wire
        return session

    def _begun(self, wire: Wire, begin: Callable[[], AgentSession]) -> AgentSession:
        try:
            return begin()
        except BaseException:
            wire.close()
            raise

    def resume(self, wire: Wire, left: float, timeout: float, known: Mapping[str, str] | None = None) -> AgentSession:
        """Wait at most ``left`` seconds for the agent on a connection that is there, and begin anew with it."""
        try:
            answered = wire.synchronise(left, self.check)
        except Disconnected:
            self._check_died()
            raise
        if not answered:
            raise CommunicatorError(
                f"the guest agent did not answer within {timeout:g} s",
                details=f"its socket {self._path} takes connections, but nobody speaks in the machine",
                resolution="look at the machine's console: has it booted, is qemu-guest-agent installed and started, "
                "is its port there (org.qemu.guest_agent.0)? It serves one program at a time: does another use it? "
                "If it only needs longer, raise timeout=; a machine without agent needs communicator=SSH()",
            )
        session = self._session(wire, known)
        if self._spec.network and not session.resumed:
            self._await_network(session)
        return session

    def _session(self, wire: Wire, known: Mapping[str, str] | None = None) -> AgentSession:
        return AgentSession(wire, self._run, self.check_alive, self._spec.user, known)

    def _await_network(self, session: AgentSession) -> None:
        missing = session.capture(guest_script.await_network(self._spec.network))
        if missing:
            self._run.say(f"the machine has not got {missing} within {self._spec.network:g} s")

    def check(self) -> None:
        """Raise when the run was cancelled or the machine is gone."""
        self._run.cancellation.check()
        self.check_alive()

    def check_alive(self) -> None:
        """Raise when the machine is gone; it is not asked more often than is cheap."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._check_died()

    def _check_died(self) -> None:
        reason = self._died() if self._died is not None else None
        if reason is not None:
            raise Disconnected("the machine is gone, and its guest agent with it", details=reason)

    def _connected(self, deadline: float, timeout: float) -> socket.socket:
        while True:
            connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                connecting.connect(str(self._path))
            except OSError as error:
                connecting.close()
                if time.monotonic() >= deadline:
                    raise CommunicatorError(
                        f"the guest agent's socket {self._path} could not be reached within {timeout:g} s",
                        details=error.strerror or str(error),
                        resolution="is the machine running?",
                    ) from error
            else:
                return connecting
            self.check()
            self._run.wait(_LOOK)
