"""What lies between this host and the machine, as declared: proxy, bastions, tunnels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import attrs

from packerpy.communicators.ssh.identity import HostKeyPolicy, Login, hidden, is_port
from packerpy.declare.declaration import declaration
from packerpy.declare.later import computed
from packerpy.declare.values import Secret
from packerpy.kit.choices import suggestion
from packerpy.values import Problem

ProxyProtocol = Literal["socks5", "http"]

_PORTS: dict[str, int] = {"socks5": 1080, "http": 8080}


def _port(protocol: str) -> int:
    """Its usual one."""
    return _PORTS.get(protocol, 1080)


_TUNNEL = re.compile(r"(?P<listen>\d+):(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<port>\d+)")


@declaration(kw_only=True)
class Bastion(Login):
    """A host that is logged in to on the way to a machine (OpenSSH's ``ProxyJump``).

    :param host: address or name, as seen from the bastion before it, or from here if it is the first.
    :param port: TCP port; 22 unless given.
    :param user: login name.
    :param key_files: one private key or several, tried in this order.
    :param key_passphrase: of those key files that are protected by one; prefer a ``Secret``.
    :param certificate: an OpenSSH certificate (``…-cert.pub``) for one of the keys.
    :param password: tried after keys, also where the server asks for it by a dialogue.
    :param answers: as for ``SSH``: what else it asks → the answer.
    :param interactive: ask whoever sits at the terminal for what nothing else answers (a code that is good once); they
        are asked again when the connection to the bastion has to be made again.
    :param agent: try the keys of the running SSH agent.
    :param host_keys: public host keys that it may have.
    :param known_hosts: a file in OpenSSH's format that is looked into for more of them, under ``"known-hosts"``.
    :param host_key_policy: as for ``SSH``; ``"known-hosts"`` unless given, because a bastion is not a new machine.
    """

    host_key_policy: HostKeyPolicy = "known-hosts"

    def check(self) -> Iterable[Problem]:
        """A host, a user, and something to log in with."""
        if self.host is None:
            yield Problem(where="host", what="a bastion needs an address")
        if self.user is None:
            yield Problem(where="user", what="a bastion needs a login name")
        if not (self.key_files or self.password or self.agent or self.answers or self.interactive):
            fix = "give key_files=, password=, answers=, agent=True, or interactive=True"
            yield Problem(what="nothing to log in to the bastion with", fix=fix)
        yield from self.check_login()


@declaration(kw_only=True)
class Proxy:
    """A proxy through which the machine, or its first bastion, is reached. Names are resolved by the proxy.

    :param host: address or name.
    :param protocol: ``"socks5"``, or ``"http"`` for the CONNECT method.
    :param port: TCP port; 1080 for SOCKS (Packer's default), 8080 for HTTP.
    :param user: login name, if the proxy wants one.
    :param password: its password.
    """

    host: str
    protocol: ProxyProtocol = "socks5"
    port: int = attrs.field(
        default=attrs.Factory(lambda self: computed(_port, self.protocol).settled(), takes_self=True)
    )
    user: str | None = None
    password: Secret | str | None = attrs.field(default=None, repr=hidden)

    def check(self) -> Iterable[Problem]:
        """An address, a protocol that exists, a login that is whole."""
        if not self.host:
            yield Problem(where="host", what="the address is empty")
        if self.protocol not in _PORTS:
            yield Problem(
                where="protocol",
                what="not a kind of proxy",
                seen=repr(self.protocol),
                fix=suggestion(self.protocol, _PORTS),
            )
        if not is_port(self.port):
            yield Problem(where="port", what="not a TCP port", seen=str(self.port), fix="use 1 to 65535")
        if (self.user is None) != (self.password is None):
            missing = "user" if self.user is None else "password"
            yield Problem(where=missing, what="a login at a proxy is a user and a password", fix=f"give {missing}=")


@attrs.frozen
class Tunnel:
    """One ``PORT:HOST:PORT``: who connects to ``listen`` on the one side talks to ``host:port`` from the other."""

    listen: int
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Tunnel:
        """Read it.

        :raises ValueError: it is something else; says what.
        """
        match = _TUNNEL.fullmatch(text)
        if match is None:
            raise ValueError("not of the form PORT:HOST:PORT")
        listen, port = int(match["listen"]), int(match["port"])
        if not (is_port(listen) and is_port(port)):
            raise ValueError("a port is a number from 1 to 65535")
        return cls(listen, match["host"].strip("[]"), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.listen}:{host}:{self.port}"


def check_tunnels(where: str, tunnels: Iterable[str]) -> Iterable[Problem]:
    """Each can be read, and no two listen on the same port."""
    taken: set[int] = set()
    for index, text in enumerate(tunnels):
        place = f"{where}[{index}]"
        try:
            tunnel = Tunnel.parse(text)
        except ValueError as error:
            yield Problem(where=place, what=str(error), seen=repr(text), fix='write "8080:localhost:80"')
            continue
        if tunnel.listen in taken:
            yield Problem(where=place, what="another tunnel listens on this port", seen=str(tunnel.listen))
        taken.add(tunnel.listen)
