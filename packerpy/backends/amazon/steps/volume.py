"""Volumes."""

from __future__ import annotations

from typing import Any

import attrs

from packerpy.backends.amazon import watch
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import NotFound, WrongState
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import by_token, marks, pairs, specifications
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class CreateVolume(Thing, Step[str]):
    """Acquires a volume, by its id.

    :ivar request: of EC2's CreateVolume.
    """

    request: dict[str, Any]

    @property
    def title(self) -> str:
        """Which."""
        return f"volume packerpy-{self.token} in {self.region}"

    def do(self, run: Run) -> str:
        """Make it."""
        tags = specifications(["volume"], {"Name": run.name, **marks(run, self.token, self.tags)})
        answer = self.at(run).call("ec2.CreateVolume", **self.request, ClientToken=self.token, TagSpecifications=tags)
        return str(answer["VolumeId"])

    def undo(self, run: Run, made: str) -> None:
        """Delete it, whatever holds it."""
        delete_volumes(self.at(run), self.token)

    def find(self, run: Run) -> str | None:
        """By its mark."""
        return marked_volume(self.at(run), self.token)


@attrs.frozen(kw_only=True)
class TakeVolume(Thing, Step[str]):
    """Acquires a volume that came with an instance: it gets our mark in place of the instance's, and outlives it.

    :ivar volume: which.
    """

    volume: str

    @property
    def title(self) -> str:
        """Which."""
        return f"volume {self.volume} in {self.region}"

    def do(self, run: Run) -> str:
        """Mark it."""
        tags = pairs({"Name": run.name, **marks(run, self.token, self.tags)})
        self.at(run).call("ec2.CreateTags", Resources=[self.volume], Tags=tags)
        return self.volume

    def undo(self, run: Run, made: str) -> None:
        """Delete it, whatever holds it."""
        delete_volumes(self.at(run), self.token)

    def find(self, run: Run) -> str | None:
        """By its mark."""
        return marked_volume(self.at(run), self.token)


def marked_volume(at: Cloud, token: str) -> str | None:
    """The volume with this mark."""
    found = next(iter(at.pages("ec2.DescribeVolumes", "Volumes", Filters=by_token(token))), None)
    return None if found is None else str(found["VolumeId"])


def delete_volumes(at: Cloud, token: str) -> None:
    """Detach and delete all volumes with this mark; one that is being deleted already is let be."""
    for volume in tuple(at.pages("ec2.DescribeVolumes", "Volumes", Filters=by_token(token))):
        if volume["State"] in ("deleting", "deleted"):
            continue
        identity = str(volume["VolumeId"])
        try:
            for held in volume["Attachments"]:
                at.call("ec2.DetachVolume", VolumeId=identity, InstanceId=held["InstanceId"], Force=True)
            watch.volume_free(at, identity)
            at.call("ec2.DeleteVolume", VolumeId=identity)
        except (NotFound, WrongState) as error:
            if isinstance(error, WrongState) and "deleted" not in error.message:
                raise
