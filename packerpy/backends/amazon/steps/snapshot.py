"""Snapshots: of volumes, or made block by block."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from packerpy.backends.amazon.steps.image import delete_snapshots, marked_snapshots
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import marks, pairs, specifications
from packerpy.contracts import Run, Step


class _Snapshot(Thing):
    """A snapshot that is found by its mark."""

    @property
    def title(self) -> str:
        """Which."""
        return f"snapshot packerpy-{self.token} in {self.region}"

    def undo(self, run: Run, made: str) -> None:
        """Delete it."""
        delete_snapshots(self.at(run), [made])

    def find(self, run: Run) -> str | None:
        """By its mark."""
        return next(iter(marked_snapshots(self.at(run), self.token)), None)


@attrs.frozen(kw_only=True)
class CreateSnapshot(_Snapshot, Step[str]):
    """Acquires a snapshot of a volume, by its id; it grows from now on.

    :ivar volume: of which.
    :ivar description: of it.
    """

    volume: str
    description: str = ""

    def do(self, run: Run) -> str:
        """Begin it."""
        answer = self.at(run).call(
            "ec2.CreateSnapshot",
            VolumeId=self.volume,
            Description=self.description,
            TagSpecifications=specifications(["snapshot"], {"Name": run.name, **marks(run, self.token, self.tags)}),
        )
        return str(answer["SnapshotId"])

    def undo(self, run: Run, made: str) -> None:
        """Delete it; also a second one that was made because the answer to the first request was lost."""
        at = self.at(run)
        delete_snapshots(at, marked_snapshots(at, self.token))


@attrs.frozen(kw_only=True)
class StartSnapshot(_Snapshot, Step[str]):
    """Acquires a snapshot that is still to be filled, by its id.

    :ivar request: of EBS's StartSnapshot.
    :ivar adopt: a snapshot that a dead run began, to go on with; it gets our mark in place of that run's.
    """

    resumable: ClassVar[bool] = True

    request: dict[str, Any]
    adopt: str | None = None

    def do(self, run: Run) -> str:
        """Begin it, or take it over."""
        tags = pairs({"Name": run.name, **marks(run, self.token, self.tags)})
        if self.adopt is not None:
            self.at(run).call("ec2.CreateTags", Resources=[self.adopt], Tags=tags)
            return self.adopt
        answer = self.at(run).call("ebs.StartSnapshot", **self.request, ClientToken=self.token, Tags=tags)
        return str(answer["SnapshotId"])
