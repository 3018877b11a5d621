"""An AMI whose root is another volume than the one that the instance started from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Self

import attrs

from packerpy.backends.amazon.specs.devices import Disk, disks, problems_of
from packerpy.backends.amazon.specs.fast_launch import FastLaunch, fast_launch
from packerpy.backends.amazon.specs.fields import texts
from packerpy.backends.amazon.specs.instance_image import InstanceImage, instance_image_problems
from packerpy.backends.amazon.specs.machine_checks import driver_problems
from packerpy.backends.amazon.specs.registration import RegisterOptions, register_problems, register_reads
from packerpy.contracts import Source, SourceSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Artifact, Problem, Support


def _root() -> Disk:
    return Disk(device="/dev/xvda")


@declaration(kw_only=True, slots=False)
class EBSSurrogate(InstanceImage, RegisterOptions, SourceSpec):
    """An AMI that starts from a volume which the steps filled, in place of the one that the instance started from.

    The instance is started with ``disks``; the steps partition and fill one of them. It is stopped, the disks are
    snapshotted, and an image is registered of the snapshots. What the instance itself started from is thrown away.

    :param root_source: the name that the new root has as one of ``disks``: ``/dev/xvdf``.
    :param root: as what the image has it: name, size, type.
    :param leave_out: names of ``disks`` that the image does not get.
    :param image_disks: further disks of the image, or one of ``disks`` otherwise than the instance had it.
    :param use_create_image: put the new root into the place of the old one and let Amazon make the image of the
        instance, as it does for images whose licences (billing codes) go with them.
    :param fast_launch: for Windows, see :class:`EBS`.
    """

    kind: ClassVar[str] = "amazon.ebs_surrogate"
    makes_files: ClassVar[bool] = False
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.EBSSurrogate`", "moto 5.2 behind HTTP, with a real sshd in the machine's place", "run"),
        Support("`amazon.EBSSurrogate`: fast launch", "a stand-in for three calls", "simulated"),
        Support("`amazon.EBSSurrogate` against Amazon itself", "nothing", "not run"),
    )

    root_source: str
    root: Disk = attrs.field(factory=_root)
    leave_out: tuple[str, ...] = attrs.field(default=(), converter=texts)
    image_disks: tuple[Disk, ...] = attrs.field(default=(), converter=disks)
    use_create_image: bool = False
    fast_launch: FastLaunch | None = attrs.field(default=None, converter=fast_launch)

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon."""
        yield from instance_image_problems(self)
        yield from register_problems(self)
        yield from problems_of("image_disks", self.image_disks)
        yield from self._root()
        known = {disk.device for disk in self.disks}
        for number, device in enumerate(self.leave_out):
            if device not in known:
                fix = f"use one of {', '.join(sorted(known)) or 'them'}"
                yield Problem(where=f"leave_out[{number}]", what="is not one of disks", seen=repr(device), fix=fix)
        if self.encrypt:
            fix = "encrypt disks: Disk(encrypted=True, …)"
            yield Problem(where="encrypt", what="is about a root volume that the image does not have", fix=fix)
        if self.use_create_image:
            yield from self._create_image()
        if self.fast_launch is not None:
            problems = self.fast_launch.problems(self.region, self.regions)
            yield from (problem.within("fast_launch") for problem in problems)

    def _root(self) -> Iterable[Problem]:
        source = next((disk for disk in self.disks if disk.device == self.root_source), None)
        if source is None:
            fix = f"add Disk(device={self.root_source!r}, size=…) to disks"
            yield Problem(where="root_source", what="is not one of disks", seen=repr(self.root_source), fix=fix)
        elif source.virtual_name is not None or source.no_device:
            yield Problem(where="root_source", what="is no volume", seen=self.root_source, fix="give it a size")
        if self.root_source in self.leave_out:
            fix = "take it out of leave_out"
            yield Problem(where="root_source", what="is left out of the image", seen=self.root_source, fix=fix)
        yield from (problem.within("root") for problem in self.root.problems())
        for name in ("encrypted", "snapshot_id", "virtual_name", "no_device"):
            if getattr(self.root, name):
                fix = "say it of the disk that is its source"
                yield Problem(where=f"root.{name}", what="is decided by its source", fix=fix)

    def _create_image(self) -> Iterable[Problem]:
        for where in ("architecture", "boot_mode", "tpm_support", "uefi_data"):
            if getattr(self, where) is not None:
                fix = "leave one of them out: the image takes it from the instance"
                yield Problem(where=where, what="does not go with use_create_image", fix=fix)
        yield from driver_problems(self, "sriov_support")
        if self.spot:
            fix = "leave one of them out: volumes of a spot instance cannot be exchanged"
            yield Problem(where="use_create_image", what="does not go with spot", fix=fix)

    def reads(self) -> Iterable[Path]:
        """Files with first-boot data and UEFI variables."""
        yield from InstanceImage.reads(self)
        yield from register_reads(self)

    def for_test(self, artifact: Artifact) -> Self:
        """The same machine, started from the finished image, which has the disks."""
        return attrs.evolve(super().for_test(artifact), disks=())

    def load(self) -> Source:
        """The worker."""
        from packerpy.backends.amazon.surrogate import SurrogateSource

        return SurrogateSource(self)
