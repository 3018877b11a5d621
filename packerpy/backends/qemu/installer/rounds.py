"""The two starts of a machine whose installer is a kernel that QEMU loads: the installer's and the installed disk's."""

from __future__ import annotations

from packerpy.backends.qemu import diagnosis
from packerpy.backends.qemu.errors import GuestGone, NeverInstalled
from packerpy.backends.qemu.guest import Guest
from packerpy.backends.qemu.shutdown import wait_for_exit
from packerpy.backends.qemu.specs import Qemu
from packerpy.contracts import Run

_REBOOTED = "guest-reset"
"""Why QEMU says that it ends when its guest reboots."""


def wait_for_installer(run: Run, spec: Qemu, guest: Guest) -> bool:
    """Wait until the system that was started first reboots or powers itself off; answers whether to start the disk.

    That is always so, but for a machine that nobody can talk to: when it powers itself off, it is finished.

    :raises NeverInstalled: it did neither within ``install_timeout``.
    :raises GuestGone: it ended in another way.
    """
    run.say("waiting for the installer to reboot or to power the machine off")
    try:
        event = guest.qmp.wait(
            ("SHUTDOWN", "GUEST_PANICKED"), timeout=spec.install_timeout, cancellation=run.cancellation
        )
    except TimeoutError:
        raise NeverInstalled(spec.install_timeout, diagnosis.report(run, guest)) from None
    if event is None or not event.data.get("guest"):
        raise GuestGone(guest.died() or "QEMU ended", diagnosis.report(run, guest))
    if event.data.get("reason") != _REBOOTED and spec.mute:
        return False
    wait_for_exit(guest)
    run.say("the installer is done; starting what it has installed")
    return True
