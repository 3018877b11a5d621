"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import CommunicatorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.kit import namespaces
from packerpy.values import HostTool, Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Connector


def wrapper_problems(where: str, wrapper: tuple[str, ...]) -> Iterable[Problem]:
    """Words that are no program with arguments."""
    if wrapper and (not wrapper[0] or " " in wrapper[0]):
        fix = 'write each word by itself: ("nice", "-n", "10")'
        yield Problem(where=where, what="does not begin with a program", seen=repr(wrapper), fix=fix)


@declaration(kw_only=True)
class Local(CommunicatorSpec):
    """Commands run on this host: by ``chroot`` in a tree of it, or, if asked for, on the host itself.

    In a tree each command has mount and process namespaces of its own: nothing that it starts or mounts outlives it,
    and services are kept from starting. The network is the host's. Needs root, or user namespaces.

    :param host: run commands on the host itself, as the user who runs packerpy, in the current folder, with this
        process' environment. It is never chosen by itself. What a command leaves running in its process group is
        ended with it.
    :param devices: commands in a tree see all devices of the host in its ``/dev``, as the installation of a boot loader
        needs; by default only harmless ones, such as ``/dev/null``.
    :param wrapper: a program and its arguments that each command is given to, on the host: ``("nice",)``.
    """

    kind: ClassVar[str] = "local"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Local`", "chroot and namespaces of Linux, as root; with `host=True` the host itself, as root", "run"),
    )

    host: bool = False
    devices: bool = False
    wrapper: tuple[str, ...] = attrs.field(default=(), converter=word_list)

    def check(self) -> Iterable[Problem]:
        """The host has its devices anyway."""
        if self.host and self.devices:
            fix = "leave one of them out"
            yield Problem(where="devices", what="is about a tree, not about the host", fix=fix)
        yield from wrapper_problems("wrapper", self.wrapper)

    def tools(self) -> Iterable[HostTool]:
        """What makes namespaces."""
        return () if self.host else namespaces.tools()

    def load(self) -> Connector:
        """The worker."""
        from packerpy.communicators.local.connector import LocalConnector

        return LocalConnector(self)
