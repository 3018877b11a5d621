"""A volume of this instance's own, mounted, changed, and made an image of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.amazon import finish, preflight, registering, snapshots, watch
from packerpy.backends.amazon.api import Answer, Cloud, cloud
from packerpy.backends.amazon.chroot import devices
from packerpy.backends.amazon.chroot.metadata import Identity, identity
from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.gone import LooksAtAmazon
from packerpy.backends.amazon.specs.chroot import Chroot
from packerpy.backends.amazon.specs.devices import Disk
from packerpy.backends.amazon.steps.attachment import AttachVolume
from packerpy.backends.amazon.steps.mount import LendFile, Mount, MountByCommand, MountPoint, run_line
from packerpy.backends.amazon.steps.snapshot import CreateSnapshot
from packerpy.backends.amazon.steps.volume import CreateVolume
from packerpy.backends.amazon.tags import new_token
from packerpy.communicators.local import Local
from packerpy.contracts import Communicator, Run, Source, Step
from packerpy.errors import SourceError
from packerpy.kit import namespaces
from packerpy.kit.publish import locked
from packerpy.values import Artifact, Endpoint, Machine, Problem


@attrs.frozen
class ChrootSource(LooksAtAmazon, Source):
    """Carries out a :class:`Chroot`."""

    spec: Chroot

    def preflight(self, run: Run) -> Iterable[Problem]:
        """Root, this instance, regions, the source image and what its root is, names, files."""
        if os.geteuid() != 0:
            yield Problem(what="volumes can be mounted by root only", fix="run packerpy as root")
        yield from namespaces.problems()
        yield from _missing(self.spec.copy_files)
        if self.spec.mount_path is not None and self.spec.mount_path.exists():
            fix = "remove it, or leave mount_path out"
            yield Problem(where="mount_path", what="is there already", seen=str(self.spec.mount_path), fix=fix)
        found: list[Identity] = []
        yield from preflight.asked("", lambda: found.append(identity()))
        if not found:
            return
        at = cloud(run, self.spec.access, found[0].region)
        wrong = tuple(preflight.regions(at, {"regions": self.spec.regions}))
        yield from wrong
        if at.region in self.spec.regions:
            fix = "leave it out: the image is there anyway"
            yield Problem(where="regions", what="holds this instance's own region", seen=at.region, fix=fix)
        elif not wrong:
            if self.spec.source_ami is not None:
                yield from self._source_problems(at)
            yield from preflight.names(run, at, self.spec, (at.region, *self.spec.regions))

    def _source_problems(self, at: Cloud) -> Iterable[Problem]:
        images: list[Answer] = []
        yield from preflight.asked("source_ami", lambda: images.append(self._source(at)))
        if images and images[0].get("RootDeviceType") != "ebs":
            fix = "use an image whose root device is a volume"
            seen = str(images[0].get("RootDeviceType"))
            yield Problem(where="source_ami", what="has no volume as its root", seen=seen, fix=fix)

    def boot(self, run: Run) -> Machine:
        """Volume, device, mounts; the tree stands for a machine that needs no power."""
        here = identity()
        at = cloud(run, self.spec.access, here.region)
        source = {} if self.spec.source_ami is None else self._source(at)
        root = self._root(source)
        volume = run.do(self._volume(at, here, root))
        watch.volume_free(at, volume)
        attached = self._attach(at, here, volume)
        device = self.spec.node or devices.appeared(run, volume, attached)
        tree = self.spec.mount_path or run.cache / "mounts" / f"{run.id}-{_slug(run.name)}"
        facts = {
            "region": at.region,
            "instance": here.instance,
            "volume": volume,
            "attached_as": attached,
            "device": str(device),
            "architecture": str(source.get("Architecture") or here.architecture),
            "source_ami": str(self.spec.source_ami or ""),
            "source_ami_name": str(source.get("Name", "")),
            "source_ami_owner": str(source.get("OwnerId", "")),
            "source_ami_created": str(source.get("CreationDate", "")),
            "root_device": root.device,
            "user": "root",
        }
        self._commands(run, self.spec.pre_mount_commands, device, tree)
        run.do(MountPoint(path=tree))
        if not self.spec.mount_command:
            place = devices.place_of(run, device, self.spec.mount_partition)
            facts |= {"mounted": str(place.device), "mount_options": ",".join(place.options)}
        run.do(self._mount(facts, tree))
        self._commands(run, self.spec.post_mount_commands, device, tree)
        for step in self._in_tree(tree):
            run.do(step)
        local = Local(devices=True, wrapper=self.spec.command_wrapper)
        return Machine(id=volume, endpoint=Endpoint(path=tree), communicator=local, facts=facts)

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Unmount, detach, snapshot, register, copy, share."""
        facts, tree = machine.facts, machine.endpoint.path
        at = cloud(run, self.spec.access, facts["region"])
        channel.close()
        if tree is None:
            raise SourceError("the machine has no tree")  # it was not made by boot
        for step in reversed((self._mount(facts, tree), *self._in_tree(tree))):
            run.release(step)
        run.release(self._attachment(at, facts["instance"], facts["volume"], facts["attached_as"]))
        hold = finish.holder(run, self.spec)
        made = snapshots.make(at, {"root": self._snapshot(at, facts["volume"])}, hold)["root"]
        image = registering.register(at, self.spec, self._request(at, facts, made))
        images = finish.spread(at, self.spec, image)
        left = {name: value for name, value in facts.items() if name not in ("volume", "mounted", "mount_options")}
        told = {**left, "name": self.spec.ami_name}
        if not self.spec.only_copies:
            told[f"snapshot:{at.region}"] = made
        return finish.artifact(images, told, "packerpy.amazon.chroot")

    def _source(self, at: Cloud) -> Answer:
        found = at.call("ec2.DescribeImages", ImageIds=[self.spec.source_ami])["Images"]
        if not found:
            raise NotFound("ec2.DescribeImages", "InvalidAMIID.NotFound", f"there is no image {self.spec.source_ami}")
        return dict(found[0])

    def _root(self, source: Answer) -> Disk:
        """The root as the image will have it: as declared, and for the rest as the source image has it."""
        if not source:
            assert self.spec.root is not None  # noqa: S101  checked with the declaration
            return self.spec.root
        name = str(source["RootDeviceName"])
        told: Answer = next(
            (one.get("Ebs", {}) for one in source["BlockDeviceMappings"] if one["DeviceName"] == name), {}
        )
        declared = self.spec.root or Disk(device=name)
        size = max(declared.gibibytes or 0, int(told.get("VolumeSize", 0)))
        kind = declared.type or told.get("VolumeType")
        return attrs.evolve(declared, size=size * Disk.GIB, type=kind, snapshot_id=told.get("SnapshotId"))

    def _volume(self, at: Cloud, here: Identity, root: Disk) -> CreateVolume:
        told = root.volume()
        request = {name: value for name, value in told.items() if name not in ("VolumeSize", "DeleteOnTermination")}
        return CreateVolume(
            access=at.access,
            region=at.region,
            token=new_token(),
            tags=dict(self.spec.volume_tags),
            request={**request, "Size": told["VolumeSize"], "AvailabilityZone": here.zone},
        )

    def _attach(self, at: Cloud, here: Identity, volume: str) -> str:
        """Attach it by a name that no other build on this instance takes meanwhile."""
        folder = at.run.cache / "amazon"
        folder.mkdir(parents=True, exist_ok=True)
        waiting = lambda: at.run.say("waiting for another build on this instance, which attaches a volume")  # noqa: E731
        with locked(folder / "attach.lock", at.run.wait, waiting=waiting):
            name = self.spec.attach_as or devices.free_name(snapshots.volumes_of(at, here.instance))
            return at.run.do(self._attachment(at, here.instance, volume, name))

    def _attachment(self, at: Cloud, instance: str, volume: str, name: str) -> AttachVolume:
        return AttachVolume(access=at.access, region=at.region, token="", volume=volume, instance=instance, device=name)

    def _mount(self, facts: Mapping[str, str], tree: Path) -> Mount | MountByCommand:
        wrapper = self.spec.command_wrapper
        if self.spec.mount_command:
            return MountByCommand(
                command=self.spec.mount_command,
                undoing=self.spec.unmount_command,
                env=_environment(facts["device"], tree),
                target=tree,
                wrapper=wrapper,
            )
        given = tuple(option for option in facts["mount_options"].split(",") if option)
        options = (*given, *self.spec.mount_options)
        return Mount(source=facts["mounted"], target=tree, options=options, wrapper=wrapper)

    def _in_tree(self, tree: Path) -> tuple[Step[Any], ...]:
        """What is in the tree while steps run, in the order in which it is made."""
        mounts = (
            Mount(
                source=source,
                target=tree / place.lstrip("/"),
                type=kind,
                tree=tree,
                wrapper=self.spec.command_wrapper,
            )
            for kind, source, place in self.spec.mounts
        )
        copies = (LendFile(source=path, tree=tree) for path in self.spec.copy_files)
        return (*mounts, *copies)

    def _commands(self, run: Run, lines: Iterable[str], device: Path, tree: Path) -> None:
        for line in lines:
            run_line(line, _environment(str(device), tree), self.spec.command_wrapper, run=run)

    def _snapshot(self, at: Cloud, volume: str) -> CreateSnapshot:
        return CreateSnapshot(
            access=at.access,
            region=at.region,
            token=new_token(),
            tags={**self.spec.tags, **self.spec.snapshot_tags},
            volume=volume,
            description=self.spec.description or f"root of {self.spec.ami_name}",
        )

    def _request(self, at: Cloud, facts: Mapping[str, str], snapshot: str) -> dict[str, Any]:
        source = {} if self.spec.source_ami is None else self._source(at)
        root = attrs.evolve(self._root(source), snapshot_id=snapshot)
        mappings = {root.device: {"DeviceName": root.device, "Ebs": registering.of_snapshot(root.volume())}}
        own = str(source.get("RootDeviceName", root.device))
        for one in () if self.spec.image_disks else source.get("BlockDeviceMappings", ()):
            if one["DeviceName"] != own:
                told = {"Ebs": registering.of_snapshot(one["Ebs"])} if "SnapshotId" in one.get("Ebs", {}) else {}
                mappings[one["DeviceName"]] = {**one, **told}
        mappings |= {disk.device: disk.mapping() for disk in self.spec.image_disks}
        return registering.of_disks(
            self.spec,
            root=root.device,
            mappings=list(mappings.values()),
            architecture=facts["architecture"],
            boot_mode=source.get("BootMode"),
        )


def _environment(device: str, tree: Path) -> dict[str, str]:
    """What shell lines are told."""
    return {"PACKERPY_DEVICE": device, "PACKERPY_MOUNT": str(tree)}


def _missing(files: Iterable[Path]) -> Iterable[Problem]:
    for number, path in enumerate(files):
        if not path.is_file():
            fix = "correct it, or leave it out"
            yield Problem(where=f"copy_files[{number}]", what="there is no such file here", seen=str(path), fix=fix)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:60]
