"""The state of a machine's devices, out of QEMU and into it, by what QEMU calls a migration."""

from __future__ import annotations

import time

from packerpy.backends.qemu.guest import Guest
from packerpy.contracts import Run
from packerpy.errors import SourceError
from packerpy.kit.qmp import Qmp

_LIMIT = 120.0
"""Seconds for some MiB of state, which take a fraction of one."""

_MOMENT = 0.005
"""Seconds between two looks."""

_UNLIMITED = 1 << 40
"""Bytes a second; QEMU thinks of a network and keeps to 128 MiB."""


def save(run: Run, guest: Guest, descriptor: int) -> None:
    """Write the state of a paused machine to an open file; its disks are complete and closed to writing afterwards.

    :raises SourceError: a device cannot be saved. The machine can be continued.
    """
    qmp = guest.qmp
    since = _prepare(qmp)
    qmp.execute("migrate-set-parameters", max_bandwidth=_UNLIMITED)
    qmp.lend(descriptor, "state")
    qmp.execute("migrate", uri="fd:state")
    _finish(run, qmp, since)
    while qmp.execute("query-status")["status"] == "finish-migrate":  # for a moment more, without an event at its end
        run.wait(_MOMENT)


def load(run: Run, guest: Guest, descriptor: int) -> None:
    """Read the state from an open file into a machine that waits for it.

    :raises SourceError: it does not fit.
    """
    qmp = guest.qmp
    since = _prepare(qmp)
    qmp.lend(descriptor, "state")
    qmp.execute("migrate-incoming", uri="fd:state")
    _finish(run, qmp, since)


def _prepare(qmp: Qmp) -> int:
    """Leave the memory out of the state, where it is a shared file; answers where to wait from."""
    wanted = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]
    qmp.execute("migrate-set-capabilities", capabilities=wanted)
    return qmp.mark()


def _finish(run: Run, qmp: Qmp, since: int) -> None:
    deadline = time.monotonic() + _LIMIT
    while True:
        event = qmp.wait(
            ("MIGRATION",),
            since=since,
            timeout=max(0.0, deadline - time.monotonic()),
            cancellation=run.cancellation,
        )
        if event is None:
            raise SourceError("QEMU ended while the state of its machine was moved")
        since += 1 + next(n for n, seen in enumerate(qmp.events[since:]) if seen is event)
        status = event.data.get("status")
        if status == "completed":
            return
        if status in ("failed", "cancelled"):
            why = qmp.execute("query-migrate").get("error-desc", "QEMU does not say why")
            raise SourceError(f"the state of the machine could not be moved: {why}")
