"""The worker."""

from __future__ import annotations

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.kit.host_script import run_on_host
from packerpy.provisioners.shell_local.specs import ShellLocal
from packerpy.values import Machine


class ShellLocalWorker(Provisioner):
    """Carries out a :class:`ShellLocal`."""

    def __init__(self, spec: ShellLocal) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        run_on_host(run, self._spec, _context(run, machine), ProvisionError)


def _context(run: Run, machine: Machine) -> dict[str, str]:
    """Which build this is, with the name that scripts written for Packer look for; and how to reach its machine."""
    place = machine.endpoint
    key = str(place.key_file) if place.key_file is not None else ""
    return {
        "PACKERPY_BUILD_NAME": run.name,
        "PACKER_BUILD_NAME": run.name,
        "PACKERPY_RUN": run.id,
        "PACKERPY_HOST": place.host,
        "PACKERPY_PORT": str(place.port),
        "PACKERPY_USER": place.user,
        "PACKERPY_KEY_FILE": key,
    }
