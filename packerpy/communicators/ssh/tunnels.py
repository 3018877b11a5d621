"""Ports that are carried through the connection to a machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

import paramiko

from packerpy.communicators.ssh.joining import Joined, hang_up, stop_listening
from packerpy.communicators.ssh.way import Tunnel
from packerpy.errors import CommunicatorError

_CONNECT = 20.0
"""Seconds for a connection at the far end of a tunnel."""

_LOOPBACK = "127.0.0.1"


class Tunnels:
    """All tunnels of one channel; they outlive its connection, which is another one after a restart.

    :param say: told about a connection that could not be made at the far end.
    """

    def __init__(self, local: Iterable[str], remote: Iterable[str], say: Callable[[str], None]) -> None:
        self._local = tuple(Tunnel.parse(text) for text in local)
        self._remote = {tunnel.listen: tunnel for tunnel in map(Tunnel.parse, remote)}
        self._say = say
        self._transport: paramiko.Transport | None = None
        self._servers: list[socket.socket] = []
        self._joined = Joined()

    def attach(self, transport: paramiko.Transport) -> None:
        """Carry them over this connection from now on.

        :raises CommunicatorError: a port is taken, here or in the machine.
        """
        self._transport = transport
        try:
            if not self._servers:
                for tunnel in self._local:
                    self._listen(tunnel)
            for tunnel in self._remote.values():
                self._ask(transport, tunnel)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening and hang up."""
        for server in self._servers:
            stop_listening(server)
        self._servers.clear()
        if self._transport is not None and self._transport.is_active():
            for tunnel in self._remote.values():
                with suppress(paramiko.SSHException, OSError, EOFError):
                    # Not waited for, as a machine that hangs would never answer.
                    self._transport.global_request("cancel-tcpip-forward", (_LOOPBACK, tunnel.listen), wait=False)
        self._joined.close()

    def _listen(self, tunnel: Tunnel) -> None:
        try:
            server = socket.create_server((_LOOPBACK, tunnel.listen), backlog=32)
        except OSError as error:
            raise CommunicatorError(
                f"the local tunnel {tunnel} cannot be opened",
                details=f"port {tunnel.listen} of this host: {error.strerror}",
                resolution="choose another port in local_tunnels=, or end what listens there",
            ) from error
        self._servers.append(server)
        threading.Thread(target=self._accept, args=(server, tunnel), daemon=True).start()

    def _ask(self, transport: paramiko.Transport, tunnel: Tunnel) -> None:
        try:
            transport.request_port_forward(_LOOPBACK, tunnel.listen, self._incoming)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise CommunicatorError(
                f"the remote tunnel {tunnel} cannot be opened",
                details=f"the machine refuses to listen on port {tunnel.listen}: {error}",
                resolution="choose another port in remote_tunnels= if it is taken there; else allow it "
                "(AllowTcpForwarding in its sshd_config)",
            ) from error

    def _accept(self, server: socket.socket, tunnel: Tunnel) -> None:
        while True:
            try:
                ours, peer = server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._carry_out, args=(ours, peer, tunnel), daemon=True).start()

    def _carry_out(self, ours: socket.socket, peer: tuple[str, int], tunnel: Tunnel) -> None:
        """One connection from here into the machine."""
        try:
            theirs = self._current().open_channel("direct-tcpip", (tunnel.host, tunnel.port), peer, timeout=_CONNECT)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._say(f"tunnel {tunnel}: the machine cannot connect to {tunnel.host}:{tunnel.port}: {error}")
            hang_up(ours)
            return
        self._joined.join(ours, theirs)

    def _current(self) -> paramiko.Transport:
        if self._transport is None:
            raise EOFError("the connection to the machine is closed")
        return self._transport

    def _incoming(self, theirs: paramiko.Channel, _origin: tuple[str, int], at: tuple[str, int]) -> None:
        """One connection from the machine; called by the thread that reads from it, so nothing may block here."""
        tunnel = self._remote[at[1]]
        threading.Thread(target=self._carry_in, args=(theirs, tunnel), daemon=True).start()

    def _carry_in(self, theirs: paramiko.Channel, tunnel: Tunnel) -> None:
        try:
            ours = socket.create_connection((tunnel.host, tunnel.port), _CONNECT)
        except OSError as error:
            self._say(f"tunnel {tunnel}: cannot connect to {tunnel.host}:{tunnel.port} from here: {error}")
            theirs.close()
            return
        ours.settimeout(None)
        self._joined.join(ours, theirs)
