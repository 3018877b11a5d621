"""AMIs with their snapshots: made from an instance, copied, or registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import by_token, marks, specifications
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class _MakeImage(Thing):
    """Acquires an image and its snapshots; undone, both are gone.

    :ivar name: of the image.
    :ivar request: of the request that makes it.
    :ivar snapshot_tags: of its snapshots, next to ours and the image's.
    """

    name: str
    request: dict[str, Any]
    snapshot_tags: dict[str, str] = attrs.field(factory=dict)

    def _make(self, run: Run, operation: str, kinds: tuple[str, ...], **more: Any) -> str:
        own = marks(run, self.token, self.tags)
        tags: list[dict[str, Any]] = []
        for kind in kinds:
            tags += specifications([kind], own | self.snapshot_tags if kind == "snapshot" else own)
        answer = self.at(run).call(operation, Name=self.name, **self.request, **more, TagSpecifications=tags)
        return str(answer["ImageId"])

    def undo(self, run: Run, made: str) -> None:
        """Deregister it, and delete its snapshots."""
        remove_images(self.at(run), self.token)

    def find(self, run: Run) -> str | None:
        """By its mark, which stands on image and snapshots."""
        at = self.at(run)
        found = (*_images(at, self.token), *marked_snapshots(at, self.token))
        return found[0] if found else None


@attrs.frozen(kw_only=True)
class CreateImage(_MakeImage, Step[str]):
    """Of a stopped instance."""

    @property
    def title(self) -> str:
        """Which."""
        return f"image {self.name} in {self.region}"

    def do(self, run: Run) -> str:
        """Ask for it; it grows from now on."""
        return self._make(run, "ec2.CreateImage", ("image", "snapshot"))


@attrs.frozen(kw_only=True)
class CopyImage(_MakeImage, Step[str]):
    """Of an image of another region."""

    @property
    def title(self) -> str:
        """Which."""
        return f"copy of image {self.name} in {self.region}"

    def do(self, run: Run) -> str:
        """Ask for it."""
        return self._make(run, "ec2.CopyImage", ("image", "snapshot"), ClientToken=self.token)


@attrs.frozen(kw_only=True)
class RegisterImage(_MakeImage, Step[str]):
    """Of snapshots that are there; they have steps of their own."""

    @property
    def title(self) -> str:
        """Which."""
        return f"image {self.name} in {self.region}"

    def do(self, run: Run) -> str:
        """Make it."""
        return self._make(run, "ec2.RegisterImage", ("image",))


def remove_images(at: Cloud, token: str) -> None:
    """Deregister all images and delete all snapshots with this mark; others that an image refers to stay."""
    for image in _images(at, token):
        deregister(at, image)
    delete_snapshots(at, marked_snapshots(at, token))


def snapshots_of(at: Cloud, image: str) -> list[str]:
    """The snapshots that an image is made of."""
    try:
        found = at.call("ec2.DescribeImages", ImageIds=[image])["Images"]
    except NotFound:
        return []
    mappings: list[Mapping[str, Any]] = [mapping for one in found for mapping in one.get("BlockDeviceMappings", ())]
    return [str(ebs["SnapshotId"]) for mapping in mappings if (ebs := mapping.get("Ebs")) and "SnapshotId" in ebs]


def deregister(at: Cloud, image: str) -> None:
    """If it is there."""
    try:
        at.call("ec2.DeregisterImage", ImageId=image)
    except NotFound:
        pass


def delete_snapshots(at: Cloud, snapshots: Iterable[str]) -> None:
    """Those that are there."""
    for snapshot in snapshots:
        try:
            at.call("ec2.DeleteSnapshot", SnapshotId=snapshot)
        except NotFound:
            pass


def _images(at: Cloud, token: str) -> tuple[str, ...]:
    found = at.pages("ec2.DescribeImages", "Images", Owners=["self"], Filters=by_token(token))
    return tuple(str(image["ImageId"]) for image in found)


def marked_snapshots(at: Cloud, token: str) -> tuple[str, ...]:
    """Our snapshots with this mark."""
    found = at.pages("ec2.DescribeSnapshots", "Snapshots", OwnerIds=["self"], Filters=by_token(token))
    return tuple(str(snapshot["SnapshotId"]) for snapshot in found)
