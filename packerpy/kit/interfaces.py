"""Network interfaces of the host and their addresses, by the kernel's own call."""

from __future__ import annotations

import fcntl
import socket
import struct

from packerpy.errors import SourceError
from packerpy.kit.choices import suggestion

_SIOCGIFADDR = 0x8915
"""See netdevice(7)."""
_NAME = 15
"""Bytes that a name may have."""


class NoInterface(SourceError):
    """The host has no such network interface, or it has no address."""

    def __init__(self, name: str, why: str) -> None:
        there = {found: ipv4_of(found) for _, found in socket.if_nameindex()}
        usable = [found for found, address in there.items() if address]
        listed = ", ".join(f"{found} ({address})" if address else found for found, address in there.items())
        super().__init__(
            f"the network interface {name!r} {why}",
            details=f"there are: {listed or 'none'}",
            resolution=suggestion(name, usable) if usable else "give an address= instead",
        )


def address_of(name: str) -> str:
    """The first IPv4 address of an interface.

    :raises NoInterface: there is no such interface, or it has no address.
    """
    if name not in {found for _, found in socket.if_nameindex()}:
        raise NoInterface(name, "is not there")
    address = ipv4_of(name)
    if address is None:
        raise NoInterface(name, "has no IPv4 address")
    return address


def ipv4_of(name: str) -> str | None:
    """The first IPv4 address of an interface that is there; ``None`` when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            told = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:_NAME]))
        except OSError:
            return None
    return socket.inet_ntoa(told[20:24])
