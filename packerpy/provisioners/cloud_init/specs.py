"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner


@declaration(kw_only=True)
class CloudInitWait(ProvisionerSpec):
    """Waits until cloud-init has done what it does at a first boot; what it is still doing would get in your way.

    :param accept_degraded: recoverable errors (exit code 2 of ``cloud-init status --wait``) do not fail the step; they
        are shown.
    :param optional: a guest without cloud-init is fine, too.
    """

    kind: ClassVar[str] = "cloud-init-wait"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`CloudInitWait`", "cloud-init 22.4 in a Debian 12 guest", "run"),
        Support("`CloudInitWait` where cloud-init fails", "a stand-in for the program cloud-init", "simulated"),
    )

    accept_degraded: bool = True
    optional: bool = False

    @property
    def title(self) -> str:
        """What it does."""
        return "wait for cloud-init"

    def check(self) -> Iterable[Problem]:
        """Nothing can be wrong."""
        return ()

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.cloud_init.worker import CloudInitWorker

        return CloudInitWorker(self)
