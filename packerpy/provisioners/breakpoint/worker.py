"""The worker."""

from __future__ import annotations

import shlex

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.provisioners.breakpoint.specs import Breakpoint
from packerpy.values import Machine


class BreakpointWorker(Provisioner):
    """Asks, and says where the machine is."""

    def __init__(self, spec: Breakpoint) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        if self._spec.disable:
            return
        if self._spec.note:
            run.say(self._spec.note)
        run.say(f"reach the machine by: {way_in(machine)}")
        if not run.pause(self._spec.note or "breakpoint"):
            run.say("nobody can be asked, going on")


def way_in(machine: Machine) -> str:
    """A command line for a terminal of this host, or what is known instead."""
    place = machine.endpoint
    if not place.host:
        return f"chroot {shlex.quote(str(place.path))}" if place.path is not None else f"machine {machine.id}"
    key = ["-i", str(place.key_file)] if place.key_file is not None else []
    # The host key of the build is not in the user's own file, and shall not get there.
    options = ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=accept-new"]
    return shlex.join(["ssh", *key, *options, "-p", str(place.port), f"{place.user}@{place.host}"])
