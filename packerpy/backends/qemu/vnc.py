"""Looking at a machine's screen, and typing at it, while it is built."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from packerpy.declare import Secret
from packerpy.declare.declaration import declaration
from packerpy.errors import SourceError
from packerpy.kit.web_server import LOOPBACK, check_ports, port_range
from packerpy.values import Problem

if TYPE_CHECKING:
    from packerpy.backends.qemu.guest import Guest
    from packerpy.contracts import Run

_FIRST = 5900
"""The port of QEMU's display 0, the lowest it can have."""
_LONGEST = 8
"""Characters of a password that VNC looks at."""
_RANGE = (_FIRST, 6000)


def _ports(value: int | Iterable[int] | None) -> tuple[int, int]:
    return port_range(value) or _RANGE


@declaration(kw_only=True)
class Vnc:
    """A VNC server that shows a machine's screen and takes keys for it; where it is stands in the build's log.

    :param password: of up to eight characters. Without one the server listens on a socket in the build's own folder,
        which nobody else may reach.
    :param address: with a password, the host's IPv4 address where it listens. VNC encrypts nothing: on any other
        than the loopback address, whoever is in between sees the screen and the keys.
    :param port: with a password, the port or a range ``(first, last)`` of which the first free one is taken; by default
        5900 to 6000, as in Packer.
    """

    password: Secret | None = None
    address: str = LOOPBACK
    port: tuple[int, int] = attrs.field(default=_RANGE, converter=_ports)

    def check(self) -> Iterable[Problem]:
        """Words and numbers."""
        yield from check_ports("port", self.port)
        if self.port[0] < _FIRST:
            fix = f"use {_FIRST} or above"
            yield Problem(where="port", what="is below the first port of VNC", seen=repr(self.port[0]), fix=fix)
        try:
            ipaddress.IPv4Address(self.address)
        except ValueError:
            fix = "write it like 192.168.0.1; 0.0.0.0 is every address of the host"
            yield Problem(where="address", what="is not an IPv4 address", seen=repr(self.address), fix=fix)
        if self.password is None and self != Vnc():
            fix = "give one, or leave address= and port= out: then it is a socket that only you reach"
            yield Problem(where="password", what="is missing: others would reach the machine", fix=fix)

    def argument(self, socket: Path) -> str:
        """QEMU's word for it.

        :param socket: where it listens without a password.
        """
        if self.password is None:
            return f"unix:{str(socket).replace(',', ',,')}"
        first, last = (port - _FIRST for port in self.port)
        return f"{self.address}:{first}" + (f",to={last}" if last > first else "") + ",password=on"


def vnc(value: Vnc | bool | None) -> Vnc | None:
    """``True`` is a server on a socket."""
    return (Vnc() if value else None) if isinstance(value, bool) else value


def show(run: Run, declared: Vnc | None, guest: Guest) -> None:
    """Set the password of a machine's VNC server, and tell where it is.

    :raises SourceError: the password is longer than VNC looks at.
    """
    if declared is None:
        return
    if declared.password is not None:
        password = run.reveal(declared.password)
        if len(password.encode()) > _LONGEST:
            raise SourceError(
                f"a password of VNC has at most {_LONGEST} characters, and the one of vnc= has more",
                resolution="use a shorter one; the rest would not be looked at",
            )
        guest.qmp.execute("set_password", protocol="vnc", password=password)
    told = guest.qmp.execute("query-vnc")
    place = ":".join(filter(None, (told["host"], told["service"])))  # of a socket, only its path
    run.say(f"the screen is shown by VNC at {place}")
