"""The worker."""

from __future__ import annotations

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.provisioners.cloud_init.specs import CloudInitWait
from packerpy.values import Command, Machine

_WAIT = Command(line="command -v cloud-init >/dev/null || exit 127; cloud-init status --wait --long", sudo=True)
_MISSING, _DEGRADED = 127, 2
_LOG = Command(line="tail -n 30 /var/log/cloud-init-output.log /var/log/cloud-init.log 2>/dev/null", sudo=True)


class CloudInitWorker(Provisioner):
    """Cloud-init has a command for it."""

    def __init__(self, spec: CloudInitWait) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        done = channel.run(_WAIT, sink=run.output)
        if done.exit_status == _MISSING:
            if not self._spec.optional:
                raise ProvisionError("the guest has no cloud-init", resolution="declare optional=True, or leave it out")
            run.say("the guest has no cloud-init")
        elif done.exit_status == _DEGRADED and self._spec.accept_degraded:
            run.say("cloud-init ended with recoverable errors, see above")
        elif not done.ok:
            log = channel.run(_LOG).stdout.strip()
            raise ProvisionError(
                f"cloud-init failed with exit code {done.exit_status}",
                details=f"{(done.stdout + done.stderr).strip()}\n{log}".strip(),
            )
