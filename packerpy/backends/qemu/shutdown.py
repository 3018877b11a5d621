"""Powering a machine off in an orderly way."""

from __future__ import annotations

import subprocess
import time

from packerpy.backends.qemu import diagnosis
from packerpy.backends.qemu.errors import GuestGone, WillNotStop
from packerpy.backends.qemu.guest import Guest
from packerpy.backends.qemu.specs import Qemu
from packerpy.contracts import Communicator, Run
from packerpy.declare import Later
from packerpy.errors import CommunicatorError, DeclarationError, Disconnected
from packerpy.values import Command

_POWEROFF = "systemctl poweroff 2>/dev/null || poweroff || shutdown -h now"
_FAST = """sync
echo 1 >/proc/sys/kernel/sysrq && echo u >/proc/sysrq-trigger || exit 1
while grep '^/dev/' /proc/mounts | cut -d' ' -f4 | grep -q '^rw'; do :; done
echo o >/proc/sysrq-trigger"""
"""Makes file systems read-only, whoever uses them, then powers off; what is read-only has a clean journal."""

_EXIT = 60.0
"""Seconds that QEMU may take to end once its guest is off."""


def power_off(run: Run, spec: Qemu, guest: Guest, channel: Communicator) -> None:
    """Ask the guest to power off and wait for QEMU's event that it did, and for QEMU's end.

    :raises WillNotStop: it did not within ``shutdown_timeout``; it is left running (the end of the run pulls its plug).
    :raises GuestGone: it ended in another way.
    """
    if guest.died() is not None:
        raise GuestGone(guest.died() or "", diagnosis.report(run, guest))
    deadline = time.monotonic() + spec.shutdown_timeout
    since = guest.qmp.mark()
    how = _ask(spec, guest, channel)
    try:
        event = guest.qmp.wait(
            ("SHUTDOWN", "GUEST_PANICKED"),
            since=since,
            timeout=max(0.0, deadline - time.monotonic()),
            cancellation=run.cancellation,
        )
    except TimeoutError:
        raise WillNotStop(how, spec.shutdown_timeout, diagnosis.report(run, guest)) from None
    wait_for_exit(guest)
    if event is None or not event.data.get("guest"):
        raise GuestGone(guest.died() or "QEMU ended", diagnosis.report(run, guest))


def wait_for_end(run: Run, spec: Qemu, guest: Guest) -> None:
    """Wait until a guest that nobody can talk to powers itself off.

    :raises WillNotStop: it did not within ``shutdown_timeout``.
    :raises GuestGone: it ended in another way.
    """
    try:
        event = guest.qmp.wait(
            ("SHUTDOWN", "GUEST_PANICKED"), timeout=spec.shutdown_timeout, cancellation=run.cancellation
        )
    except TimeoutError:
        how = "nothing, as it has no communicator and is expected to power itself off"
        raise WillNotStop(how, spec.shutdown_timeout, diagnosis.report(run, guest)) from None
    wait_for_exit(guest)
    if event is None or not event.data.get("guest"):
        raise GuestGone(guest.died() or "QEMU ended", diagnosis.report(run, guest))


def _ask(spec: Qemu, guest: Guest, channel: Communicator) -> str:
    """Say it; answers in which way it was said."""
    declared = spec.shutdown_command
    if isinstance(declared, Later):
        raise DeclarationError(f"shutdown_command is still {declared.shown}, without a value")
    line = declared or (_FAST if spec.shutdown == "fast" else _POWEROFF)
    if declared != "" and _said_over(channel, line, spec.shutdown_timeout, must=declared is not None):
        return f"the command {declared or spec.shutdown + ' poweroff'!r}"
    guest.qmp.execute("system_powerdown")
    return "the ACPI power button"


def _said_over(channel: Communicator, line: str, timeout: float, *, must: bool) -> bool:
    """Run the command; a channel that breaks while it runs is what a shutdown does."""
    try:
        done = channel.run(Command(line=line, sudo=not must, timeout=timeout))
    except Disconnected:
        return True
    except CommunicatorError:
        if must:
            raise
        return False
    if must and not done.ok:
        raise CommunicatorError(
            f"the shutdown command ended with exit code {done.exit_status}",
            details=f"{line}\n{done.stdout}{done.stderr}",
            resolution="give a shutdown_command that this user may run; add `sudo` where it is needed",
        )
    return done.ok


def wait_for_exit(guest: Guest) -> None:
    """QEMU closes its images after it has told that its guest is off; only then are they complete.

    :raises GuestGone: it does not end.
    """
    if guest.child is None:
        return
    try:
        guest.child.wait(_EXIT)
    except subprocess.TimeoutExpired:
        raise GuestGone("its guest is off, but QEMU does not end") from None
