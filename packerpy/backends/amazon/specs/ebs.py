"""An AMI made from a stopped instance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import attrs

from packerpy.backends.amazon.specs.devices import Disk, disks, problems_of
from packerpy.backends.amazon.specs.fast_launch import FastLaunch, fast_launch
from packerpy.backends.amazon.specs.image import keyed_at_capture
from packerpy.backends.amazon.specs.instance_image import InstanceImage, instance_image_problems
from packerpy.backends.amazon.specs.machine_checks import driver_problems
from packerpy.contracts import Source, SourceSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

_MOTO = "moto 5.2 behind HTTP, with a real sshd in the machine's place"


_CAPTURE = {"key": "capture"}
_WEEK = 7 * 86400.0


@declaration(kw_only=True, slots=False, field_transformer=keyed_at_capture)
class EBS(InstanceImage, SourceSpec):
    """An AMI: an instance is started, provisioned and stopped, and an image is made of its volumes.

    :param image_disks: disks of the image, in place of those that the instance had.
    :param ena_support: mark the image as one with the driver of the elastic network adapter.
    :param sriov_support: likewise for the older adapter.
    :param fast_launch: for Windows: instances start from snapshots that Amazon prepares beforehand; ``True`` stands for
        ``FastLaunch()``.
    :param layers: ``disk`` makes an image of the instance's volumes after each step, while it goes on; a later build
        launches the image of the last step that still holds. First-boot data is carried out again there. It is
        ``off`` because snapshots cost money for as long as they are there.
    :param layers_max_age: seconds for which such an image stays when no build uses it; a week.
    """

    kind: ClassVar[str] = "amazon.ebs"
    makes_files: ClassVar[bool] = False
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.EBS`: boot, provision, capture, copy, share, tags, spot", _MOTO, "run"),
        Support("`amazon.EBS`: deprecation, protection, fast launch", "a stand-in for five calls", "simulated"),
        Support(
            '`amazon.EBS(layers="disk")`',
            "moto 5.2, whose images are empty; a real sshd",
            "simulated",
        ),
        Support("`amazon.EBS`: Session Manager", "stand-ins for three calls and the plug-in; a real sshd", "simulated"),
        Support("`amazon.EBS`: the password of Windows", "a stand-in that encrypts it", "simulated"),
        Support("`amazon.EBS`: spot fleets", "moto 5.2 behind HTTP, which starts the first type", "simulated"),
        Support("`amazon.EBS`: quotas of virtual processors", "a stand-in for Service Quotas", "simulated"),
        Support("`amazon.Access`: keys from Vault", "a small server that answers as Vault's API says", "simulated"),
        Support("`amazon.EBS` against Amazon itself", "nothing", "not run"),
    )

    image_disks: tuple[Disk, ...] = attrs.field(default=(), converter=disks, metadata=_CAPTURE)
    ena_support: bool | None = attrs.field(default=None, metadata=_CAPTURE)
    sriov_support: bool = attrs.field(default=False, metadata=_CAPTURE)
    fast_launch: FastLaunch | None = attrs.field(default=None, converter=fast_launch, metadata=_CAPTURE)
    layers: Literal["off", "disk"] = "off"
    layers_max_age: float = attrs.field(default=_WEEK, metadata={"key": False})

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon."""
        yield from instance_image_problems(self)
        yield from driver_problems(self, "ena_support", "sriov_support")
        yield from problems_of("image_disks", self.image_disks)
        if self.fast_launch is not None:
            problems = self.fast_launch.problems(self.region, self.regions)
            yield from (problem.within("fast_launch") for problem in problems)
        yield from self._layers()

    def _layers(self) -> Iterable[Problem]:
        if self.layers not in ("off", "disk"):
            fix = 'use "off" or "disk"'
            yield Problem(where="layers", what="is none of the two", seen=repr(self.layers), fix=fix)
        if not self.layers_max_age > 0:
            yield Problem(where="layers_max_age", what="must be more than 0 seconds", seen=str(self.layers_max_age))
        if self.layers == "disk" and any(disk.virtual_name is not None for disk in self.disks):
            fix = "leave the disk with virtual_name out, or the layers"
            yield Problem(where="layers", what="do not hold what is on an instance store", fix=fix)
        if self.layers == "disk" and self.tells_password:
            fix = "add communicator=WinRM(password=…), or leave the layers out"
            what = "do not go with a password that Windows makes at its first boot only"
            yield Problem(where="layers", what=what, fix=fix)

    def load(self) -> Source:
        """The worker."""
        if self.layers == "disk":
            from packerpy.backends.amazon.layers import LayeredSource

            return LayeredSource(self)
        from packerpy.backends.amazon.source import EBSSource

        return EBSSource(self)
