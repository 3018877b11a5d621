"""Machines on a bridge of the host, with an address of their own in its network."""

from __future__ import annotations

import time
from pathlib import Path

from packerpy.backends.qemu import diagnosis
from packerpy.backends.qemu.argv import mac_of
from packerpy.backends.qemu.errors import GuestGone, NoAddress, NoBridge
from packerpy.backends.qemu.guest import Guest
from packerpy.contracts import Run

_NEIGHBOURS = Path("/proc/net/arp")
"""The kernel's table of neighbours: address, type, flags, MAC, mask, device; a look at it costs next to nothing."""
_KNOWN = 0x2
"""The flag of one that answered."""
_LOOK = 0.5
"""Seconds between two looks."""
_DEVICES = Path("/sys/class/net")


def look(name: str) -> None:
    """Whether the host has a bridge.

    :raises NoBridge: it has not.
    """
    there = sorted(path.parent.name for path in _DEVICES.glob("*/bridge"))
    if name not in there:
        raise NoBridge(name, there)


def address_of(mac: str, bridge: str) -> str | None:
    """The address at which a machine was seen last; ``None`` before it was."""
    seen = None
    for line in _NEIGHBOURS.read_text().splitlines()[1:]:
        address, _, flags, owner, _, device = line.split()
        if (owner, device) == (mac, bridge) and int(flags, 16) & _KNOWN:
            seen = address
    return seen


def wait_for_address(run: Run, guest: Guest, bridge: str, *, limit: float) -> str:
    """Wait until the host has heard of a machine's address, which it does when the machine asks it for one.

    :param limit: seconds.
    :raises NoAddress: it did not.
    :raises GuestGone: the machine ended meanwhile.
    """
    mac = mac_of(guest.id)
    run.say(f"waiting for {mac} to have an address on {bridge}")
    deadline = time.monotonic() + limit
    while (address := address_of(mac, bridge)) is None:
        if (why := guest.died()) is not None:
            raise GuestGone(why, diagnosis.report(run, guest))
        if time.monotonic() > deadline:
            raise NoAddress(bridge, mac, limit, diagnosis.report(run, guest))
        run.wait(_LOOK)
    run.say(f"the machine is {address} on {bridge}")
    return address
