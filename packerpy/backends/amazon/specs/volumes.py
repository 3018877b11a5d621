"""Volumes made on an instance, without an AMI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import attrs

from packerpy.backends.amazon.specs.devices import Disk, problems_of
from packerpy.backends.amazon.specs.fields import hash_map, texts
from packerpy.backends.amazon.specs.image import account_problems, group_problems
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.backends.amazon.specs.machine_checks import driver_problems, machine_problems, tag_problems
from packerpy.contracts import Source, SourceSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support, frozen_map


@declaration(kw_only=True)
class Volume(Disk):
    """A volume that a build leaves, or its snapshot, or both; see :class:`Disk` for what it has in common with that.

    :param delete_on_termination: the volume ends with its instance, and only its snapshot is left.
    :param tags: on the volume, next to our own and the source's ``volume_tags``.
    :param snapshot: leave a snapshot of it.
    :param snapshot_description: of the snapshot.
    :param snapshot_tags: on the snapshot, next to our own.
    :param snapshot_users: accounts that may use the snapshot.
    :param snapshot_groups: ``all`` makes it public.
    """

    delete_on_termination: bool = False
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    snapshot: bool = False
    snapshot_description: str = ""
    snapshot_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    snapshot_users: tuple[str, ...] = attrs.field(default=(), converter=texts)
    snapshot_groups: tuple[str, ...] = attrs.field(default=(), converter=texts)

    def problems(self) -> Iterable[Problem]:
        """What is wrong with it."""
        yield from super().problems()
        for where in ("virtual_name", "no_device"):
            if getattr(self, where):
                yield Problem(where=where, what="leaves no volume", fix="put it into disks")
        if self.delete_on_termination and not self.snapshot:
            fix = "add snapshot=True, or leave it out"
            yield Problem(where="delete_on_termination", what="leaves nothing of the volume", fix=fix)
        yield from self._snapshot()
        yield from tag_problems("tags", self.tags)

    def _snapshot(self) -> Iterable[Problem]:
        for where in ("snapshot_description", "snapshot_tags", "snapshot_users", "snapshot_groups"):
            if getattr(self, where) and not self.snapshot:
                yield Problem(where=where, what="is of no use without a snapshot", fix="add snapshot=True")
        yield from tag_problems("snapshot_tags", self.snapshot_tags)
        yield from account_problems("snapshot_users", self.snapshot_users)
        yield from group_problems("snapshot_groups", self.snapshot_groups)
        if self.encrypted and self.snapshot_groups:
            fix = "leave one of them out"
            yield Problem(where="snapshot_groups", what="an encrypted snapshot cannot be public", fix=fix)
        if self.encrypted and self.kms_key is None and self.snapshot_users:
            fix = "encrypt with a key of your own (kms_key) and share that key too"
            yield Problem(where="snapshot_users", what="cannot use what the account's default key encrypted", fix=fix)


def _volumes(value: Iterable[Volume]) -> tuple[Volume, ...]:
    return tuple(value)


@declaration(kw_only=True, slots=False)
class EBSVolumes(MachineOptions, SourceSpec):
    """Volumes, or snapshots of them, and no AMI: an instance is started with them, provisioned and stopped.

    :param volumes: those that are left.
    :param ena_support: mark the stopped instance as one with the driver of the elastic network adapter.
    :param sriov_support: likewise for the older adapter.
    """

    kind: ClassVar[str] = "amazon.ebs_volumes"
    makes_files: ClassVar[bool] = False
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.EBSVolumes`", "moto 5.2 behind HTTP, with a real sshd in the machine's place", "run"),
        Support("`amazon.EBSVolumes` against Amazon itself", "nothing", "not run"),
    )

    volumes: tuple[Volume, ...] = attrs.field(converter=_volumes)
    ena_support: bool | None = None
    sriov_support: bool = False

    @property
    def launched_disks(self) -> tuple[Disk, ...]:
        """Those that are left, too."""
        return (*self.disks, *self.volumes)

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon."""
        yield from machine_problems(self)
        yield from driver_problems(self, "ena_support", "sriov_support")
        if not self.volumes:
            fix = "give one, such as Volume(device='/dev/xvdf', size='10 GiB')"
            yield Problem(where="volumes", what="names none", fix=fix)
        yield from problems_of("volumes", self.volumes)
        taken = {disk.device for disk in self.disks}
        for number, volume in enumerate(self.volumes):
            if volume.device in taken:
                yield Problem(where=f"volumes[{number}].device", what="stands in disks too", seen=volume.device)

    def load(self) -> Source:
        """The worker."""
        from packerpy.backends.amazon.volumes import VolumesSource

        return VolumesSource(self)
