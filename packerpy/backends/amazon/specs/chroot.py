"""An AMI made on the instance that packerpy itself runs on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import attrs

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.specs.devices import Disk, disks, problems_of
from packerpy.backends.amazon.specs.fields import hash_map, texts
from packerpy.backends.amazon.specs.image import (
    CopyOptions,
    copied_by_default_key,
    copy_problems,
    image_problems,
    secrecy_problems,
)
from packerpy.backends.amazon.specs.machine_checks import tag_problems
from packerpy.backends.amazon.specs.registration import RegisterOptions, register_problems, register_reads
from packerpy.communicators.local.specs import wrapper_problems
from packerpy.contracts import DescribesTools, Source, SourceSpec
from packerpy.declare import Later
from packerpy.declare.declaration import declaration
from packerpy.kit import namespaces
from packerpy.values import HostTool, Problem, Support, frozen_map


def _mounts(value: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one) for one in value)


def _paths(value: Iterable[str | Path]) -> tuple[Path, ...]:
    return tuple(map(Path, value))


@declaration(kw_only=True, slots=False)
class Chroot(CopyOptions, RegisterOptions, SourceSpec, DescribesTools):
    """An AMI from a volume that is mounted on the instance packerpy itself runs on; no other instance is started.

    A volume is made of the source image's root snapshot (or empty), attached to this instance and mounted. Steps run in
    that tree, by :class:`packerpy.Local`, which gives each command ``/proc``, ``/sys``, ``/dev`` and ``/run``. Then it
    is unmounted, detached and snapshotted, and an image is registered. Needs root, and Linux on EC2.

    Shell lines below run on this instance as root, with ``PACKERPY_DEVICE`` (the volume's device) and
    ``PACKERPY_MOUNT`` (the tree).

    :param source_ami: the image whose root volume is taken, and whose other disks the new image gets.
    :param from_scratch: begin with an empty volume; ``pre_mount_commands`` make a file system on it,
        ``post_mount_commands`` fill it.
    :param access: credentials and endpoint; by default the instance's own role.
    :param root: the root as the image has it: name, size, type, encryption; needed from scratch, else by default as the
        source image has it.
    :param image_disks: further disks of the image, in place of the source image's.
    :param volume_tags: on the volume while it is worked on, next to our own.
    :param attach_as: the name that the volume is attached by; by default the first free one of ``/dev/sdf`` to
        ``/dev/sdp``.
    :param node: the device that it comes as, where it cannot be told by its name or its NVMe serial number.
    :param mount_partition: number of the partition that is mounted; 0 for a volume without partitions.
    :param mount_options: such as ``nouuid`` for a second XFS of the same image.
    :param mount_command: a shell line in place of that: it mounts the root, and what belongs to it, on
        ``$PACKERPY_MOUNT``. All that is mounted there is unmounted again.
    :param unmount_command: a shell line for what else the first has set up (``vgchange -an …``); it is run after all
        is unmounted, also when the first failed.
    :param mount_path: where; a folder of our own by default.
    :param mounts: further file systems in the tree: ``("bind", "/srv/packages", "/srv/packages")`` is type, source on
        this instance, place in the tree.
    :param copy_files: files of this instance that are in the tree while steps run, at the same place.
    :param pre_mount_commands: shell lines before the volume is mounted.
    :param post_mount_commands: shell lines after it was.
    :param command_wrapper: put before each command that is run here or in the tree, and before ``mount``:
        ``("systemd-run", "--scope", "--quiet", "--property=MemoryMax=2G")``.
    """

    kind: ClassVar[str] = "amazon.chroot"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.Chroot`: requests", "moto 5.2 behind HTTP, and a metadata service of the test's own", "run"),
        Support("`amazon.Chroot`: mounting, steps in the tree, unmounting", "ext4 on a loop device, as root", "run"),
        Support(
            "`amazon.Chroot`: a volume that comes as a device",
            "a loop device in its place, also as an NVMe disk of a tree like `/sys`",
            "simulated",
        ),
        Support("`amazon.Chroot` on an instance of Amazon's", "nothing", "not run"),
    )

    source_ami: str | Later | None = None
    from_scratch: bool = False
    access: Access = attrs.field(factory=Access)
    root: Disk | None = None
    image_disks: tuple[Disk, ...] = attrs.field(default=(), converter=disks)
    volume_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    attach_as: str | None = None
    node: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    mount_partition: int = 1
    mount_options: tuple[str, ...] = attrs.field(default=(), converter=texts)
    mount_command: str = ""
    unmount_command: str = ""
    mount_path: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    mounts: tuple[tuple[str, ...], ...] = attrs.field(default=(), converter=_mounts)
    copy_files: tuple[Path, ...] = attrs.field(default=("/etc/resolv.conf",), converter=_paths)
    pre_mount_commands: tuple[str, ...] = attrs.field(default=(), converter=texts)
    post_mount_commands: tuple[str, ...] = attrs.field(default=(), converter=texts)
    command_wrapper: tuple[str, ...] = attrs.field(default=(), converter=texts)

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon or at this host."""
        yield from (problem.within("access") for problem in self.access.problems())
        yield from image_problems(self)
        yield from copy_problems(self, None)
        yield from register_problems(self)
        root = self.root
        own = root is not None and bool(root.encrypted)
        default_key = own and root is not None and root.kms_key is None
        own_key = not default_key and not copied_by_default_key(self, encrypted=own)
        encrypted = own or self.encrypt_copies or bool(self.copy_kms_keys)
        yield from secrecy_problems(self, encrypted=encrypted, own_key=own_key)
        yield from problems_of("image_disks", self.image_disks)
        yield from tag_problems("volume_tags", self.volume_tags)
        yield from self._origin()
        yield from self._root()
        yield from self._places()

    def _origin(self) -> Iterable[Problem]:
        if not self.from_scratch:
            if self.source_ami is None:
                fix = "give an image id, or newest_ami(…), or from_scratch=True"
                yield Problem(where="source_ami", what="is missing", fix=fix)
            elif isinstance(self.source_ami, str) and not self.source_ami.startswith("ami-"):
                fix = "it must begin with ami-"
                yield Problem(where="source_ami", what="is not an id", seen=repr(self.source_ami), fix=fix)
            return
        if self.source_ami is not None:
            yield Problem(where="source_ami", what="does not go with from_scratch", fix="leave one of them out")
        if self.root is None:
            yield Problem(where="root", what="is missing", fix='add root=Disk(device="/dev/xvda", size="8 GiB")')
        elif self.root.size is None:
            yield Problem(where="root.size", what="is missing", fix='give one, such as "8 GiB"')
        if not self.pre_mount_commands:
            fix = "give shell lines that make a file system on $PACKERPY_DEVICE"
            yield Problem(where="pre_mount_commands", what="are missing: the volume is empty", fix=fix)

    def _root(self) -> Iterable[Problem]:
        if self.root is None:
            return
        yield from (problem.within("root") for problem in self.root.problems())
        for name in ("snapshot_id", "virtual_name", "no_device"):
            if getattr(self.root, name):
                yield Problem(where=f"root.{name}", what="does not go with a root that is made", fix="leave it out")
        if any(disk.device == self.root.device for disk in self.image_disks):
            fix = "leave it out of image_disks"
            yield Problem(where="image_disks", what="have the root again", seen=self.root.device, fix=fix)

    def _places(self) -> Iterable[Problem]:
        for number, mount in enumerate(self.mounts):
            if len(mount) != 3 or not all(mount) or not mount[-1].startswith("/"):
                fix = 'write ("bind", "/srv/packages", "/srv/packages"): type, source, place in the tree'
                yield Problem(where=f"mounts[{number}]", what="is not a mount", seen=repr(mount), fix=fix)
        for number, path in enumerate(self.copy_files):
            if not path.is_absolute():
                fix = "write its whole path"
                yield Problem(where=f"copy_files[{number}]", what="is not absolute", seen=str(path), fix=fix)
        for where in ("node", "mount_path"):
            path = getattr(self, where)
            if path is not None and not path.is_absolute():
                yield Problem(where=where, what="is not absolute", seen=str(path), fix="write its whole path")
        if self.attach_as is not None and not self.attach_as.startswith("/dev/"):
            yield Problem(where="attach_as", what="is no device", seen=self.attach_as, fix="write /dev/sdf")
        yield from self._mounting()

    def _mounting(self) -> Iterable[Problem]:
        if self.mount_command and self.mount_options:
            yield Problem(where="mount_options", what="do not go with mount_command", fix="write them into the line")
        if self.unmount_command and not self.mount_command:
            yield Problem(where="unmount_command", what="belongs to a mount_command", fix="give both, or neither")
        yield from wrapper_problems("command_wrapper", self.command_wrapper)
        if self.mount_partition < 0:
            fix = "use 1 or more, or 0 for the whole volume"
            yield Problem(where="mount_partition", what="is no number", seen=str(self.mount_partition), fix=fix)

    def reads(self) -> Iterable[Path]:
        """The file with UEFI variables."""
        return register_reads(self)

    def tools(self) -> Iterable[HostTool]:
        """What mounts, and makes namespaces."""
        yield HostTool(name="mount", package="mount", needed_for="mounting volumes")
        yield HostTool(name="sfdisk", package="fdisk", needed_for="reading partition tables")
        yield from namespaces.tools()

    def load(self) -> Source:
        """The worker."""
        from packerpy.backends.amazon.chroot.worker import ChrootSource

        return ChrootSource(self)
