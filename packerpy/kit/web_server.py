"""What is served to machines over HTTP while they are installed, and where, as declared."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from packerpy.declare.declaration import declaration
from packerpy.kit.interfaces import address_of
from packerpy.kit.media import Content, Media, media
from packerpy.values import Problem

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104  a word of the declaration, never a default


def _root(value: Media | Mapping[str, Content] | str | Path) -> Media | Path:
    if isinstance(value, (str, Path)):
        return Path(value)
    made = media(value)
    assert made is not None  # noqa: S101  only nothing becomes nothing
    return made


def port_range(value: int | Iterable[int] | None) -> tuple[int, int] | None:
    """One port is a range of one."""
    if value is None:
        return None
    if isinstance(value, int):
        return (value, value)
    first, last = value
    return (first, last)


def check_ports(where: str, ports: tuple[int, int] | None) -> Iterable[Problem]:
    """Ports that there are, the lower first."""
    if ports is not None and not 1 <= ports[0] <= ports[1] <= 65535:
        fix = "use one port, or (first, last) with 1 <= first <= last <= 65535"
        yield Problem(where=where, what="is not a port or a range of ports", seen=repr(ports), fix=fix)


@declaration
class WebServer:
    """A web server that lasts as long as the build's machine.

    :param root: a folder, name → content, or :class:`packerpy.Media`.
    :param port: where it listens, or a range ``(first, last)`` of which the first free one is taken; by default the
        kernel chooses a free one. Packer chooses one from 8000 to 9000.
    :param interface: a network interface of the host, in place of ``address``: it listens on the first IPv4 address of
        that.
    :param address: the host's IPv4 address that it listens on. The default, ``127.0.0.1``, is reached by machines in
        QEMU's user-mode network, and by processes of the same user of this host: others are refused. On any other
        address, and on ``0.0.0.0``, which are all (Packer's default), whoever reaches the host reads what is served.
    """

    root: Media | Path = attrs.field(converter=_root)
    port: tuple[int, int] | None = attrs.field(default=None, kw_only=True, converter=port_range)
    address: str = attrs.field(default=LOOPBACK, kw_only=True)
    interface: str | None = attrs.field(default=None, kw_only=True)

    def check(self) -> Iterable[Problem]:
        """A folder that is there or content that is sound, and a place to listen."""
        if isinstance(self.root, Media):
            yield from self.root.check(max_label=0)
        elif not self.root.expanduser().is_dir():
            fix = 'give a folder, or {"preseed.cfg": "…"}'
            yield Problem(what="there is no such folder", seen=str(self.root), fix=fix)
        yield from check_ports("port", self.port)
        if self.interface is not None and self.address != LOOPBACK:
            fix = "leave one of them out"
            yield Problem(where="interface", what="does not go with address=", seen=self.interface, fix=fix)
        if self.interface == "":
            yield Problem(where="interface", what="is no name of a network interface", seen="''", fix="leave it out")
        try:
            address = ipaddress.IPv4Address(self.address)
        except ValueError:
            fix = "write it like 192.168.0.1; 0.0.0.0 is every address of the host"
            yield Problem(where="address", what="is not an IPv4 address", seen=repr(self.address), fix=fix)
            return
        if address.is_loopback and self.address != LOOPBACK:
            what = "is an address of the loopback device that no machine reaches"
            yield Problem(where="address", what=what, seen=self.address, fix=f"use {LOOPBACK}")

    def listens_at(self) -> str:
        """The host's address that it listens on.

        :raises packerpy.kit.interfaces.NoInterface: there is no such interface, or it has none.
        """
        return self.address if self.interface is None else address_of(self.interface)

    def reads(self) -> Iterable[Path]:
        """Files and folders of the host."""
        return (self.root,) if isinstance(self.root, Path) else self.root.reads()


def web_server(value: WebServer | Media | Mapping[str, Content] | str | Path | None) -> WebServer | None:
    """What is not a server yet is served by one as it is by default."""
    return value if value is None or isinstance(value, WebServer) else WebServer(value)
