"""An AMI from a disk, without an instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, get_args

import attrs

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.specs.devices import VolumeType
from packerpy.backends.amazon.specs.fields import hash_map, texts
from packerpy.backends.amazon.specs.image import image_problems, secrecy_problems
from packerpy.backends.amazon.specs.kms import keys_problems
from packerpy.backends.amazon.specs.registration import (
    RegisterOptions,
    register_problems,
    register_reads,
    word_problems,
)
from packerpy.contracts import DescribesTools, PostProcessor, PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.errors import DeclarationError
from packerpy.kit.sizes import parse_size
from packerpy.values import HostTool, Problem, Support, frozen_map

QEMU_IMG = HostTool(name="qemu-img", package="qemu-utils", needed_for="reading disk images for Amazon")


@declaration(kw_only=True, slots=False)
class DirectAMI(RegisterOptions, PostProcessorSpec, DescribesTools):
    """A disk becomes an AMI in one region or several: its blocks are put into a snapshot, and that is registered.

    There is no instance, no bucket and no import task. Blocks of zeros are left out; with a parent snapshot all blocks
    are that did not change. What was put is written down, so that a build whose process died goes on where it was.

    :param regions: where; the disk is read once for all of them.
    :param access: credentials and endpoint; of a policy it needs ``ebs:StartSnapshot``, ``PutSnapshotBlock``,
        ``CompleteSnapshot`` (with a parent also ``ListSnapshotBlocks`` and ``GetSnapshotBlock``) and
        ``ec2:RegisterImage``, ``DescribeImages``, ``DescribeSnapshots``, ``CreateTags``.
    :param output: which disk of the artifact.
    :param root_device: the disk's name.
    :param volume_type: of volumes made from it.
    :param volume_size: their size; by default the disk's.
    :param encrypted: encrypt the snapshots.
    :param kms_keys: region → ARN of a key; the account's default key else.
    :param parents: region → snapshot of an earlier state of this disk; only what changed since is put.
    :param workers: blocks that are under way at once; each takes half a MiB of memory twice.
    :param keep_input: whether the disk stays as a result; by default it does.
    """

    kind: ClassVar[str] = "amazon.direct_ami"
    makes_files: ClassVar[bool | None] = False
    keeps_input: ClassVar[bool] = True
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.DirectAMI`", "moto 5.2 behind HTTP, made to check blocks, checksums and counts", "run"),
        Support("`amazon.DirectAMI` against Amazon itself", "nothing", "not run"),
    )

    regions: tuple[str, ...] = attrs.field(converter=texts)
    access: Access = attrs.field(factory=Access)
    output: str = "disk"
    root_device: str = "/dev/xvda"
    volume_type: VolumeType = "gp3"
    volume_size: str | int | None = None
    encrypted: bool = False
    kms_keys: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    parents: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    workers: int = 32
    keep_input: bool | None = None

    @property
    def title(self) -> str:
        """One line for people."""
        return f"AMI {self.ami_name} in {', '.join(self.regions)}"

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon."""
        yield from (problem.within("access") for problem in self.access.problems())
        yield from image_problems(self)
        own_keys = bool(self.regions) and set(self.kms_keys) >= set(self.regions)
        yield from secrecy_problems(self, encrypted=self.encrypted, own_key=own_keys)
        yield from self._regions()
        yield from register_problems(self)
        yield from word_problems(self, {"volume_type": get_args(VolumeType)})
        if not 1 <= self.workers <= 64:
            yield Problem(where="workers", what="is out of bounds", seen=str(self.workers), fix="use 1 to 64")
        if self.volume_size is not None:
            try:
                parse_size(self.volume_size)
            except DeclarationError as error:
                yield Problem(
                    where="volume_size", what="is not a size", seen=repr(self.volume_size), fix=error.resolution
                )

    def _regions(self) -> Iterable[Problem]:
        if not self.regions:
            yield Problem(where="regions", what="names none", fix='give one, such as "eu-west-1"')
        if len(set(self.regions)) != len(self.regions):
            yield Problem(where="regions", what="names one twice", seen=", ".join(self.regions))
        for where in ("kms_keys", "parents"):
            for region in getattr(self, where):
                if region not in self.regions:
                    fix = "add it to regions, or leave this out"
                    yield Problem(where=f"{where}[{region!r}]", what="is not one of the regions", fix=fix)
        yield from keys_problems("kms_keys", self.kms_keys, arn_only=True)
        if self.kms_keys and not self.encrypted:
            yield Problem(where="kms_keys", what="are of no use without encryption", fix="add encrypted=True")

    def reads(self) -> Iterable[Path]:
        """The file with UEFI variables."""
        return register_reads(self)

    def tools(self) -> Iterable[HostTool]:
        """For disks that are not raw."""
        return (QEMU_IMG,)

    def load(self) -> PostProcessor:
        """The worker."""
        from packerpy.backends.amazon.direct.worker import Worker

        return Worker(self)
