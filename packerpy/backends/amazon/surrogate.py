"""An AMI whose root is a volume that was filled on an instance."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import attrs

from packerpy.backends.amazon import fast_launch, finish, registering, snapshots, watch
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.source import ImageSource
from packerpy.backends.amazon.specs.devices import Disk
from packerpy.backends.amazon.specs.surrogate import EBSSurrogate
from packerpy.backends.amazon.steps.snapshot import CreateSnapshot
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import Communicator, Run, Source
from packerpy.values import Artifact, Machine, Problem


@attrs.frozen
class SurrogateSource(ImageSource, Source):
    """Carries out an :class:`EBSSurrogate`."""

    spec: EBSSurrogate

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Stop, snapshot the disks, register an image of them; or exchange the root and have the instance imaged."""
        at = self.at(run)
        channel.close()
        self.stop(at, machine)
        attached = snapshots.volumes_of(at, machine.id)
        if self.spec.use_create_image:
            self._exchange(at, machine, attached)
            image = self.imaged(at, machine, self._differences())
            made = {}
        else:
            made = snapshots.make(at, self._snapshots(at, machine, attached), finish.holder(run, self.spec))
            image = registering.register(at, self.spec, self._request(machine, made))
        images = finish.spread(at, self.spec, image, partial(fast_launch.enable, at, self.spec.fast_launch))
        facts = {**machine.facts, "name": self.spec.ami_name}
        if made and not self.spec.only_copies:
            facts[f"snapshot:{at.region}"] = made[self.spec.root_source]
        return finish.artifact(images, facts, "packerpy.amazon.ebs_surrogate")

    def names(self, at: Cloud) -> Iterable[Problem]:
        """The image's, and what fast launch needs."""
        yield from super().names(at)
        yield from fast_launch.problems(at, self.spec.fast_launch, str(self.spec.source_ami), self.regions)

    @property
    def _disks(self) -> tuple[Disk, ...]:
        """Those that the image gets."""
        volumes = (disk for disk in self.spec.disks if disk.virtual_name is None and not disk.no_device)
        return tuple(disk for disk in volumes if disk.device not in self.spec.leave_out)

    def _snapshots(self, at: Cloud, machine: Machine, attached: dict[str, str]) -> dict[str, CreateSnapshot]:
        return {
            disk.device: CreateSnapshot(
                access=at.access,
                region=at.region,
                token=new_token(),
                tags={**self.spec.tags, **self.spec.snapshot_tags},
                volume=snapshots.volume_of(attached, disk.device, machine.id),
                description=self.spec.description or f"{disk.device} of {self.spec.ami_name}",
            )
            for disk in self._disks
        }

    def _request(self, machine: Machine, made: dict[str, str]) -> dict[str, Any]:
        mappings: dict[str, dict[str, Any]] = {}
        for disk in self._disks:
            root = disk.device == self.spec.root_source
            name = self.spec.root.device if root else disk.device
            told = {**disk.volume(), **(self.spec.root.volume() if root else {}), "SnapshotId": made[disk.device]}
            mappings[name] = {"DeviceName": name, "Ebs": registering.of_snapshot(told)}
        mappings |= {disk.device: disk.mapping() for disk in self.spec.image_disks}
        return registering.of_disks(
            self.spec,
            root=self.spec.root.device,
            mappings=list(mappings.values()),
            architecture=machine.facts["architecture"],
        )

    def _exchange(self, at: Cloud, machine: Machine, attached: dict[str, str]) -> None:
        """The new root takes the old one's place in the instance."""
        self.modify(at, machine, ena=self.spec.ena_support, sriov=self.spec.sriov_support)
        place = machine.facts["root_device"]
        new = snapshots.volume_of(attached, self.spec.root_source, machine.id)
        for volume in (snapshots.volume_of(attached, place, machine.id), new):
            at.call("ec2.DetachVolume", VolumeId=volume, InstanceId=machine.id)
            watch.volume_free(at, volume)
        at.call("ec2.AttachVolume", VolumeId=new, InstanceId=machine.id, Device=place)
        watch.volume_attached(at, new)

    def _differences(self) -> list[dict[str, Any]]:
        left_out = [{"DeviceName": device, "NoDevice": ""} for device in self.spec.leave_out]
        return [*left_out, *(disk.mapping() for disk in self.spec.image_disks)]
