"""Telling a guest that runs from one that hangs."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

from packerpy.backends.qemu.guest import Guest
from packerpy.contracts import Run
from packerpy.kit.qmp import QmpClosed, QmpError

_KERNEL = re.compile(
    r"^\[ *\d+\.\d{6}\]"  # a Linux kernel's messages
    r"|\bLinux version \d|\blogin: ?$|^Welcome to |systemd\[1\]|^\[ *(?:OK|INFO) *\]|FreeBSD/|OpenBSD/",
    re.MULTILINE,
)
"""What a system prints and firmware and boot loaders do not."""

_WRITES = 16
"""Write requests to its disk that no firmware or boot loader makes."""

_LOOK = 1.0
"""Seconds between two looks at the disk's counters, for which QEMU has no event."""


def wait_for_life(run: Run, guest: Guest, *, limit: float) -> str | None:
    """Wait until the guest shows that an operating system runs in it; answers what it showed, ``None`` if nothing.

    :param limit: seconds.
    :raises packerpy.errors.CancelledError: the run was cancelled.
    """
    woken = threading.Event()
    guest.console.listen(woken.set)
    guest.qmp.listen(woken.set)
    deadline = time.monotonic() + limit
    with run.cancellation.calling(woken.set):
        while True:
            woken.clear()
            run.cancellation.check()
            sign = _sign(guest)
            left = deadline - time.monotonic()
            if sign is not None or left <= 0 or guest.died() is not None:
                return sign
            woken.wait(min(_LOOK, left))


def _sign(guest: Guest) -> str | None:
    if _KERNEL.search(guest.console.text):
        return "its kernel prints on the console"
    if any(event.name == "VSERPORT_CHANGE" and event.data.get("open") for event in guest.qmp.events):
        return "its agent is there"
    try:
        counters = guest.qmp.execute("query-blockstats")
    except (QmpClosed, QmpError):
        return None
    return "it writes to its disk" if sum(_writes(entry) for entry in counters) >= _WRITES else None


def _writes(entry: dict[str, Any]) -> int:
    # Firmware keeps its variables on a drive of its own, which has no device name of ours.
    return int(entry["stats"]["wr_operations"]) if "disk" in str(entry.get("node-name", "")) else 0
