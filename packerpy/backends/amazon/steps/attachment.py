"""A volume's place in an instance."""

from __future__ import annotations

import attrs

from packerpy.backends.amazon import watch
from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class AttachVolume(Thing, Step[str]):
    """Acquires a volume's place in an instance.

    :ivar volume: which.
    :ivar instance: whose.
    :ivar device: its name there.
    """

    volume: str
    instance: str
    device: str

    @property
    def title(self) -> str:
        """Which."""
        return f"volume {self.volume} as {self.device} of {self.instance}"

    def do(self, run: Run) -> str:
        """Attach it."""
        at = self.at(run)
        at.call("ec2.AttachVolume", VolumeId=self.volume, InstanceId=self.instance, Device=self.device)
        watch.volume_attached(at, self.volume)
        return self.device

    def undo(self, run: Run, made: str) -> None:
        """Detach it, and wait until it is."""
        if self.find(run) is not None:
            at = self.at(run)
            at.call("ec2.DetachVolume", VolumeId=self.volume, InstanceId=self.instance)
            watch.volume_free(at, self.volume)

    def find(self, run: Run) -> str | None:
        """Whether it is there."""
        try:
            found = self.at(run).call("ec2.DescribeVolumes", VolumeIds=[self.volume])["Volumes"]
        except NotFound:
            return None
        held = [one["InstanceId"] for volume in found for one in volume.get("Attachments", ())]
        return self.device if self.instance in held else None
