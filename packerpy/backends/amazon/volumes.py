"""Volumes from an instance that is started with them, provisioned and stopped."""

from __future__ import annotations

import attrs

from packerpy.backends.amazon import finish, snapshots
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.gone import LooksAtAmazon
from packerpy.backends.amazon.source import InstanceSource
from packerpy.backends.amazon.specs.volumes import EBSVolumes
from packerpy.backends.amazon.steps.snapshot import CreateSnapshot
from packerpy.backends.amazon.steps.volume import TakeVolume
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import Communicator, Run, Source
from packerpy.values import Artifact, Machine


@attrs.frozen
class VolumesSource(InstanceSource, LooksAtAmazon, Source):
    """Carries out an :class:`EBSVolumes`."""

    spec: EBSVolumes

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Stop, snapshot, share, and take the volumes from the instance, which ends without them."""
        at = self.at(run)
        channel.close()
        self.stop(at, machine)
        self.modify(at, machine, ena=self.spec.ena_support, sriov=self.spec.sriov_support)
        attached = snapshots.volumes_of(at, machine.id)
        found = {one.device: snapshots.volume_of(attached, one.device, machine.id) for one in self.spec.volumes}
        made = snapshots.make(at, self._snapshots(at, found), run.keep)
        for volume in self.spec.volumes:
            if volume.snapshot:
                finish.share_snapshots(at, [made[volume.device]], volume.snapshot_users, volume.snapshot_groups)
        kept = {device: run.keep(step) for device, step in self._kept(at, found).items()}
        outputs = {f"volume:{at.region}:{device}": volume for device, volume in kept.items()}
        outputs |= {f"snapshot:{at.region}:{device}": snapshot for device, snapshot in made.items()}
        return Artifact(
            kind="volumes",
            id=",".join(f"{at.region}:{thing}" for thing in (*kept.values(), *made.values())),
            outputs=outputs,
            facts=machine.facts,
            builder_id="packerpy.amazon.ebs_volumes",
        )

    def _snapshots(self, at: Cloud, found: dict[str, str]) -> dict[str, CreateSnapshot]:
        return {
            volume.device: CreateSnapshot(
                access=at.access,
                region=at.region,
                token=new_token(),
                tags=dict(volume.snapshot_tags),
                volume=found[volume.device],
                description=volume.snapshot_description,
            )
            for volume in self.spec.volumes
            if volume.snapshot
        }

    def _kept(self, at: Cloud, found: dict[str, str]) -> dict[str, TakeVolume]:
        return {
            volume.device: TakeVolume(
                access=at.access,
                region=at.region,
                token=new_token(),
                tags={**self.spec.volume_tags, **volume.tags},
                volume=found[volume.device],
            )
            for volume in self.spec.volumes
            if not volume.delete_on_termination
        }
