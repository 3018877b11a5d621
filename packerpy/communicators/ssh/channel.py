"""The open channel: commands and files over one connection."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import paramiko

from packerpy.communicators.ssh.movers import MOVERS, Mover
from packerpy.communicators.ssh.session import Feed, Request, Session
from packerpy.communicators.ssh.specs import SSH
from packerpy.communicators.ssh.tunnels import Tunnels
from packerpy.contracts import Communicator, OutputSink, Run, SupportsReconnect, SupportsTree
from packerpy.errors import CommunicatorError
from packerpy.kit.collected import Collected
from packerpy.kit.publish import writing
from packerpy.kit.tree_place import unpacking
from packerpy.kit.upload import must_be_folder, opened
from packerpy.values import Command, Completed, Stream

if TYPE_CHECKING:
    from packerpy.communicators.ssh.connector import Dialer

_SESSIONS = 8
"""Sessions at a time; sshd allows 10 a connection (``MaxSessions``), and killing a command needs one more."""

_PROBE_TIMEOUT = 20.0
"""Seconds in which even a busy emulated machine answers whether it is going down."""

_LAST_WORDS = 5.0
"""Seconds between the start of a shutdown and the moment at which most systems have hung up."""

_STOPPING = "systemctl is-system-running 2>/dev/null | grep -q stopping || runlevel 2>/dev/null | grep -q '[06]$'"
"""Whether the machine is on its way down."""


class SSHChannel(Communicator, SupportsTree, SupportsReconnect):
    """Sessions of one SSH connection; any number of threads may use it at once."""

    def __init__(self, run: Run, dialer: Dialer, transport: paramiko.Transport, spec: SSH) -> None:
        self._run, self._dialer, self._transport, self._spec = run, dialer, transport, spec
        self._sessions = threading.BoundedSemaphore(_SESSIONS)
        self.opening = threading.Lock()
        self._mover: Mover = MOVERS[spec.file_transfer](self, run)
        self._tunnels = Tunnels(spec.local_tunnels, spec.remote_tunnels, run.say)
        self._attach()

    @property
    def transport(self) -> paramiko.Transport:
        """The connection as it is now; another one after :meth:`reconnect`."""
        return self._transport

    @property
    def user(self) -> str:
        """Who is logged in."""
        return self._dialer.credentials.user

    @property
    def place(self) -> tuple[str, int]:
        """Address and port."""
        return self._dialer.host, self._dialer.port

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """See :class:`packerpy.contracts.Communicator`."""
        collected = Collected(sink)
        data = command.stdin
        request = Request(
            line=command.line,
            env=dict(command.env),
            feed=None if data is None else lambda write: _write_all(write, data),
            output=collected,
            sudo=(command.sudo or self._spec.sudo) and self.user != "root",
            pty=command.pty or (self._spec.pty and data is None),  # a terminal cannot tell where input ends
            timeout=command.timeout,
            label=f"`{command.line[:200]}`",
            forward_agent=self._spec.forward_agent,
        )
        with collected.explaining():
            status = self._execute(request)
        return collected.completed(status)

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """See :class:`packerpy.contracts.Communicator`; missing parent folders are made."""
        with opened(source) as file:
            bits = os.fstat(file.fileno()).st_mode & 0o7777 if mode is None else mode
            self._mover.put(file, target, bits, f"the upload of {source} to {target}")

    def get(self, source: PurePath, target: Path) -> None:
        """See :class:`packerpy.contracts.Communicator`."""
        with writing(target) as path, path.open("wb") as file:
            self._mover.get(source, file, f"the download of {source} to {target}")

    def put_tree(self, source: Path, target: PurePath) -> None:
        """See :class:`packerpy.contracts.SupportsTree`."""
        must_be_folder(source)
        self._mover.put_tree(source, target, f"the upload of {source} to {target}")

    def get_tree(self, source: PurePath, target: Path) -> None:
        """See :class:`packerpy.contracts.SupportsTree`."""
        label = f"the download of {source} to {target}"
        try:
            with unpacking(target) as place:
                self._mover.get_tree(source, place, label)
        except OSError as error:
            raise CommunicatorError(f"{label} failed", details=str(error)) from error

    def transfer(
        self,
        line: str,
        label: str,
        *,
        feed: Feed | None = None,
        output: Callable[[bytes], object] | None = None,
        sudo: bool = False,
    ) -> None:
        """Run a command that takes or gives plain bytes.

        :param sudo: as root.

        :raises CommunicatorError: it ended with another exit code than 0; details hold what it said.
        """
        complaints: list[bytes] = []

        def take(stream: Stream, data: bytes) -> None:
            if stream == "stderr":
                complaints.append(data)
            elif output is not None:
                output(data)

        status = self._execute(
            Request(line=line, feed=feed, output=take, label=label, sudo=sudo and self.user != "root")
        )
        if status:
            said = b"".join(complaints).decode(errors="replace").strip()
            raise CommunicatorError(f"{label} failed", details=said or f"exit code {status}")

    def _execute(self, request: Request) -> int:
        with self._sessions:
            return Session(self._transport, request, self._run.cancellation, self.opening).run()

    def reconnect(self, timeout: float) -> None:
        """See :class:`packerpy.contracts.SupportsReconnect`; a connection that works and will go on to, is kept."""
        deadline = time.monotonic() + timeout
        while not self._transport.is_active() or self.going_down():
            left = deadline - time.monotonic()
            # A system that stops its network before its server never hangs up, so that is not waited for to the end.
            self.await_disconnect(min(left, _LAST_WORDS))
            self._transport.close()
            self._transport = self._dialer.dial(max(left, 1.0))
            self._attach()

    def _attach(self) -> None:
        try:
            with self._run.cancellation.calling(self._transport.close):
                self._tunnels.attach(self._transport)
        except BaseException:
            self._transport.close()
            raise

    def going_down(self) -> bool:
        """Whether the machine is shutting down, or does not answer any more."""
        try:
            return self.run(Command(line=_STOPPING, timeout=_PROBE_TIMEOUT)).ok
        except CommunicatorError:
            return True

    def await_disconnect(self, timeout: float) -> None:
        """Wait until the machine has hung up, at most ``timeout`` seconds; cancelling ends it at once."""
        pause = 0.1  # the library offers no event for the end of a connection
        while self._transport.is_active() and timeout > 0:
            self._run.wait(pause)
            timeout -= pause

    def fabric(self, sink: OutputSink) -> Any:
        """A ``fabric.Connection`` on this very connection; its output goes to ``sink``."""
        from packerpy.communicators.ssh.fabric_bridge import BoundConnection

        return BoundConnection(self, sink)

    def close(self) -> None:
        """See :class:`packerpy.contracts.Communicator`."""
        self._tunnels.close()
        self._transport.close()
        self._dialer.route.close()


def _write_all(write: Callable[[bytes], object], data: bytes) -> None:
    write(data)
