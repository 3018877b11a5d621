"""The port of the host that leads into a guest."""

from __future__ import annotations

import re

from packerpy.backends.qemu.argv import NETWORK
from packerpy.backends.qemu.errors import PortTaken
from packerpy.backends.qemu.guest import Guest
from packerpy.errors import SourceError

_LOOPBACK = "127.0.0.1"


def forward(guest: Guest, wanted: tuple[int, int] | None, guest_port: int) -> int:
    """Let a port of the host's loopback address lead to the guest; answers which.

    QEMU binds the port itself, at once, and says when it cannot: nobody can take it in between.

    :param wanted: first and last port tried; ``None`` lets the kernel choose a free one.
    :raises PortTaken: none could be had.
    """
    first, last = wanted or (0, 0)
    said = ""
    for port in range(first, last + 1):
        said = guest.qmp.monitor(f"hostfwd_add {NETWORK} tcp:{_LOOPBACK}:{port}-:{guest_port}").strip()
        if not said:
            return port or _chosen(guest, guest_port)
    raise PortTaken(first, last, said)


def _chosen(guest: Guest, guest_port: int) -> int:
    """The port that the kernel chose: a line of the table reads ``TCP[HOST_FORWARD] 12 127.0.0.1 41235 …``."""
    table = guest.qmp.monitor("info usernet")
    pattern = rf"TCP\[HOST_FORWARD\]\s+\d+\s+{re.escape(_LOOPBACK)}\s+(\d+)\s+\S+\s+{guest_port}\b"
    found = re.search(pattern, table)
    if found is None:
        raise SourceError("QEMU does not tell which port it forwards", details=table)
    return int(found[1])
