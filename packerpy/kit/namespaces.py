"""Commands in namespaces of their own: their mounts and their processes are gone the moment they end, or we do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from packerpy.errors import BuildError
from packerpy.kit import process
from packerpy.values import HostTool, Problem

_PURPOSE = "working in a tree without touching the host"


def isolated(argv: Sequence[str | Path], *, root: bool | None = None) -> list[str]:
    """``argv`` prefixed so that it runs as root, with mounts, processes, host name and IPC of its own.

    Nothing that it mounts is seen outside or outlives it, and whatever it leaves running is killed when it ends. An
    ordinary user becomes root of a user namespace, in which files may belong to any user of the machine to be made
    (the host stores them under the user's range in ``/etc/subuid``).

    :param root: whether we are root already; asked from the system by default.
    :raises packerpy.errors.PluginError: a program of the host is missing.
    """
    unshare = process.find_tool("unshare", package="util-linux", needed_for=_PURPOSE)
    inner = [unshare, "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--"]
    if root if root is not None else os.geteuid() == 0:
        return [*inner, *map(str, argv)]
    # Becoming another user makes the kernel forget the parent-death signal: it is asked for again.
    outer = [unshare, "--user", "--map-root-user", "--map-auto", "--"]
    return [*outer, *process.tied([*inner, *argv])]


def tools() -> Iterable[HostTool]:
    """Programs of the host that :func:`isolated` needs."""
    yield HostTool(name="unshare", package="util-linux", needed_for=_PURPOSE)
    yield HostTool(name="setpriv", package="util-linux", needed_for="ending programs when packerpy dies")
    if os.geteuid() != 0:
        yield HostTool(name="newuidmap", package="uidmap", needed_for="building without root")


def problems() -> Iterable[Problem]:
    """What keeps this host from giving us namespaces, found out by trying."""
    try:
        process.call(isolated(["true"]))
    except BuildError as error:
        yield Problem(
            what="this host does not let us have namespaces of our own",
            seen=(error.details or error.brief).strip(),
            fix=(
                "run as root, or let the administrator allow user namespaces and give this user a range in "
                "/etc/subuid and /etc/subgid (`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`)"
            ),
        )
