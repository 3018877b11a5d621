"""The way to a machine: straight, through a proxy, through bastions."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs
import paramiko

from packerpy.communicators.ssh import proxies
from packerpy.communicators.ssh.host_keys import HostKeyError
from packerpy.communicators.ssh.login import Credentials, Handshake, LoginRefusedError, Pipe, log_in
from packerpy.communicators.ssh.proxies import NotYetError, WayBrokenError, WayRefusedError
from packerpy.communicators.ssh.way import Proxy
from packerpy.contracts import Run
from packerpy.errors import CommunicatorError
from packerpy.kit.wait_for import BannerWait

_STEADY = 30.0
"""Seconds that a bastion or a proxy may be gone: it is no machine that boots."""

_PAUSE = (0.2, 1.0)
"""Seconds between two attempts, at first and at most; one costs the machine next to nothing."""

_LIMIT = (3.0, 15.0)
"""Seconds for one attempt, at first and at most. A packet that is sent while the machine's network is down is sent
again only after ever longer pauses, so a new attempt notices sooner that it is up."""

_BANNER = 15.0
"""Seconds for a server's first words at the end of such a way, as nobody has heard it speak yet."""


@attrs.frozen(kw_only=True)
class Hop:
    """A bastion, with everything to log in to it."""

    host: str
    port: int
    credentials: Credentials
    handshake: Handshake


class Route:
    """Opens streams to one machine, and keeps the connections to the bastions on the way.

    :param died: why the machine is gone, or ``None`` while it lives.
    :param patience: seconds after which the system gives up a connection whose packets nobody acknowledges; 0 for its
        own figure.
    """

    def __init__(
        self,
        run: Run,
        place: tuple[str, int],
        *,
        proxy: Proxy | None = None,
        proxy_password: str | None = None,
        hops: Sequence[Hop] = (),
        died: Callable[[], str | None] | None = None,
        patience: float = 0.0,
    ) -> None:
        self._run, self._place, self._died, self._patience = run, place, died, patience
        self._proxy, self._proxy_password, self._hops = proxy, proxy_password, tuple(hops)
        self._open_hops: list[paramiko.Transport] = []

    @property
    def banner(self) -> float | None:
        """Seconds to wait for the server's first words on a stream; ``None`` when it has been heard already."""
        return _BANNER if self._proxy or self._hops else None

    @property
    def title(self) -> str:
        """What lies on the way, for people; empty when it is straight."""
        names = [f"the proxy {self._proxy.host}:{self._proxy.port}"] if self._proxy else []
        names += [f"the bastion {hop.host}:{hop.port}" for hop in self._hops]
        return ", then ".join(names)

    def open(self, timeout: float) -> Pipe:
        """Wait at most ``timeout`` seconds until something at the end takes a connection.

        :raises WayBrokenError: a host on the way is to blame; names it.
        :raises CommunicatorError: nothing did, or the machine died.
        """
        if not self._proxy and not self._hops:
            return self._patient(self._straight(*self._place, timeout))
        deadline, last = time.monotonic() + timeout, "no answer"
        pause, limit = _PAUSE[0], _LIMIT[0]
        while (left := deadline - time.monotonic()) > 0:
            self._check()
            try:
                return self._leg(self._bastions(left), *self._place, min(limit, left))
            except NotYetError as error:
                last = str(error)
            self._run.wait(min(pause, max(0.0, deadline - time.monotonic())))
            pause, limit = min(pause * 1.5, _PAUSE[1]), min(limit * 1.5, _LIMIT[1])
        raise CommunicatorError(
            f"{self._place[0]}:{self._place[1]} could not be reached within {timeout:g} s through {self.title}",
            details=f"last seen: {last}",
            resolution="check address and port as seen from there, firewall, and whether the machine has booted",
        )

    def close(self) -> None:
        """Hang up on the bastions."""
        while self._open_hops:
            self._open_hops.pop().close()

    def _bastions(self, left: float) -> paramiko.Transport | None:
        """The connection to the last bastion; answers ``None`` if there is none."""
        if any(not transport.is_active() for transport in self._open_hops):
            self.close()
        while len(self._open_hops) < len(self._hops):
            hop = self._hops[len(self._open_hops)]
            self._open_hops.append(self._log_in(hop, min(left, _STEADY)))
        return self._open_hops[-1] if self._open_hops else None

    def _log_in(self, hop: Hop, timeout: float) -> paramiko.Transport:
        place = f"{hop.host}:{hop.port}"
        via = self._open_hops[-1] if self._open_hops else None
        deadline = time.monotonic() + timeout
        while True:
            failure: Exception
            try:
                pipe = self._leg(via, hop.host, hop.port, max(0.1, deadline - time.monotonic()))
                with self._run.cancellation.calling(pipe.close):
                    return log_in(pipe, hop.credentials, hop.handshake)
            except (LoginRefusedError, HostKeyError) as error:
                error.brief = f"at the bastion {place}: {error.brief}"
                raise
            except WayRefusedError:
                raise
            except (NotYetError, CommunicatorError, paramiko.SSHException, OSError, EOFError) as error:
                self._check()
                failure = error
            if time.monotonic() >= deadline:
                raise WayBrokenError(
                    f"the bastion {place} could not be reached within {timeout:g} s",
                    details=f"last seen: {failure}",
                    resolution="check bastions=: address and port, and whether it runs",
                ) from failure
            self._run.wait(_PAUSE[1])

    def _leg(self, via: paramiko.Transport | None, host: str, port: int, limit: float) -> Pipe:
        """One stream to ``host:port``, from the bastion reached last, or from here.

        :raises NotYetError: it does not answer.
        """
        if via is not None:
            return self._forwarded(via, host, port, limit)
        if self._proxy is not None:
            return self._patient(proxies.connect(self._proxy, self._proxy_password, host, port, limit))
        return self._patient(self._straight(host, port, limit, died=False))

    def _straight(self, host: str, port: int, timeout: float, *, died: bool = True) -> socket.socket:
        wait = BannerWait(host, port, cancellation=self._run.cancellation, died=self._died if died else None)
        return wait.wait(timeout)

    def _forwarded(self, via: paramiko.Transport, host: str, port: int, limit: float) -> paramiko.Channel:
        try:
            with self._run.cancellation.calling(via.close):
                return via.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=limit)
        except paramiko.ChannelException as error:
            if error.code == 1:  # administratively prohibited
                raise WayRefusedError(
                    f"the bastion does not forward connections to {host}:{port}",
                    details=str(error),
                    resolution="allow it there (AllowTcpForwarding, PermitOpen), or take another bastion",
                ) from error
            raise NotYetError(f"the bastion cannot reach {host}:{port}: {error.text}") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._check()
            raise NotYetError(f"the bastion got no answer from {host}:{port}: {error}") from error

    def _patient(self, stream: socket.socket) -> socket.socket:
        if self._patience:
            with suppress(AttributeError, OSError):  # Linux has it
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self._patience * 1000))
        return stream

    def _check(self) -> None:
        self._run.cancellation.check()
        reason = self._died() if self._died is not None else None
        if reason is not None:
            raise CommunicatorError("the machine is gone while waiting for its SSH server", details=reason)
