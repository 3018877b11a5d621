"""Disks of an instance or an image, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal, get_args

from packerpy.backends.amazon.specs.kms import key_problems
from packerpy.declare.declaration import declaration
from packerpy.errors import DeclarationError
from packerpy.kit.sizes import parse_size
from packerpy.values import Problem

VolumeType = Literal["gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"]

_IOPS: dict[str, tuple[int, int, int]] = {
    "gp3": (3000, 80000, 500),
    "io1": (100, 64000, 50),
    "io2": (100, 256000, 1000),
}
"""Type → least, most, and most for each GiB, from EC2's page on volume types."""

_THROUGHPUT = (125, 2000)
"""MiB/s of gp3, likewise."""


@declaration(kw_only=True)
class Disk:
    """One disk of an instance, or of the image made from it.

    :param device: its name, as the image has it: ``/dev/xvda``, ``/dev/sda1``.
    :param size: of an empty or grown volume, in bytes or as text; whole GiB are made of it.
    :param type: the volume's type; by default the image's own.
    :param iops: of gp3, io1 and io2.
    :param throughput: MiB/s, of gp3.
    :param encrypted: whether; by default as the account has it.
    :param kms_key: the key; needs ``encrypted=True``.
    :param snapshot_id: what it starts from.
    :param delete_on_termination: whether the volume ends with its instance. Volumes that a build leaves are removed in
        any case.
    :param virtual_name: an instance store's name, ``ephemeral0``, in place of a volume.
    :param no_device: leave out the device of this name that the image has.
    """

    GIB: ClassVar[int] = 1 << 30

    device: str
    size: str | int | None = None
    type: VolumeType | None = None
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool | None = None
    kms_key: str | None = None
    snapshot_id: str | None = None
    delete_on_termination: bool = True
    virtual_name: str | None = None
    no_device: bool = False

    @property
    def gibibytes(self) -> int | None:
        """Its size in whole GiB, rounded up."""
        return None if self.size is None else -(-parse_size(self.size) // self.GIB)

    def problems(self) -> Iterable[Problem]:
        """What is wrong with it."""
        if not self.device:
            yield Problem(where="device", what="is missing", fix="give its name, such as /dev/xvda")
        try:
            gib = self.gibibytes
        except DeclarationError as error:
            yield Problem(where="size", what="is not a size", seen=repr(self.size), fix=error.resolution)
            gib = None
        if self.type is not None and self.type not in get_args(VolumeType):
            fix = f"use one of {', '.join(get_args(VolumeType))}"
            yield Problem(where="type", what="is not a volume type", seen=repr(self.type), fix=fix)
        if self.kms_key is not None and not self.encrypted:
            yield Problem(where="kms_key", what="is of no use without encryption", fix="add encrypted=True")
        yield from key_problems("kms_key", self.kms_key)
        yield from self._performance(gib)
        volume = (self.size, self.type, self.iops, self.throughput, self.encrypted, self.snapshot_id)
        if (self.virtual_name is not None or self.no_device) and any(value is not None for value in volume):
            where = "no_device" if self.no_device else "virtual_name"
            yield Problem(where=where, what="does not go with a volume's options", fix="leave one of the two out")

    def _performance(self, gib: int | None) -> Iterable[Problem]:
        if self.iops is not None:
            if self.type not in _IOPS:
                fix = f"use type= one of {', '.join(_IOPS)}, or leave iops out"
                yield Problem(where="iops", what=f"cannot be set for {self.type or 'the default type'}", fix=fix)
            else:
                least, most, ratio = _IOPS[self.type]
                if not least <= self.iops <= most:
                    fix = f"use {least} to {most}"
                    yield Problem(where="iops", what=f"is out of bounds for {self.type}", seen=str(self.iops), fix=fix)
                elif gib is not None and self.iops > max(least, ratio * gib):
                    fix = f"use at most {ratio} for each GiB, or a larger size"
                    yield Problem(where="iops", what=f"is too much for {gib} GiB", seen=str(self.iops), fix=fix)
        if self.throughput is not None:
            if self.type != "gp3":
                yield Problem(where="throughput", what="can be set for gp3 only", fix='use type="gp3"')
            elif not _THROUGHPUT[0] <= self.throughput <= _THROUGHPUT[1]:
                fix = f"use {_THROUGHPUT[0]} to {_THROUGHPUT[1]} MiB/s"
                yield Problem(where="throughput", what="is out of bounds", seen=str(self.throughput), fix=fix)

    def mapping(self) -> dict[str, Any]:
        """As EC2's requests have it."""
        if self.no_device:
            return {"DeviceName": self.device, "NoDevice": ""}
        if self.virtual_name is not None:
            return {"DeviceName": self.device, "VirtualName": self.virtual_name}
        return {"DeviceName": self.device, "Ebs": self.volume()}

    def volume(self) -> dict[str, Any]:
        """What EC2's requests are told of the volume."""
        volume = {
            "VolumeSize": self.gibibytes,
            "VolumeType": self.type,
            "Iops": self.iops,
            "Throughput": self.throughput,
            "Encrypted": self.encrypted,
            "KmsKeyId": self.kms_key,
            "SnapshotId": self.snapshot_id,
            "DeleteOnTermination": self.delete_on_termination,
        }
        return {name: value for name, value in volume.items() if value is not None}


def disks(value: Iterable[Disk]) -> tuple[Disk, ...]:
    """A list as a tuple."""
    return tuple(value)


def problems_of(where: str, listed: Iterable[Disk]) -> Iterable[Problem]:
    """Of several disks: each one's own, and two with one name."""
    seen: set[str] = set()
    for number, disk in enumerate(listed):
        yield from (problem.within(f"{where}[{number}]") for problem in disk.problems())
        if disk.device in seen:
            yield Problem(where=f"{where}[{number}].device", what="is there twice", seen=disk.device)
        seen.add(disk.device)
