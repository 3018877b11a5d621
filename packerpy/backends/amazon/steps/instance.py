"""An instance and its volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.amazon import watch
from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.steps.volume import delete_volumes
from packerpy.backends.amazon.tags import by_token, marks, specifications
from packerpy.contracts import Run, Step

_NO_INSTANCE = "i-00000000"
"""Stands for one that is gone and whose volumes are not."""


@attrs.frozen(kw_only=True)
class LaunchInstance(Thing, Step[str]):
    """Acquires an instance, by its id.

    :ivar request: of EC2's RunInstances.
    :ivar user_data: a file of ours with first-boot data; apart from the request, for the journal must not have it.
    :ivar volume_tags: of its volumes, next to ours.
    :ivar spot_tags: of the request for spare capacity, likewise.
    """

    request: dict[str, Any]
    user_data: Path | None = None
    volume_tags: dict[str, str] = attrs.field(factory=dict)
    spot_tags: dict[str, str] = attrs.field(factory=dict)

    @property
    def title(self) -> str:
        """Which."""
        return f"instance packerpy-{self.token} ({self.request['InstanceType']}) in {self.region}"

    def do(self, run: Run) -> str:
        """Start it; repeated by the library, the token makes it the same one."""
        tags = specifications(["instance"], {"Name": run.name, **marks(run, self.token, self.tags)})
        tags += specifications(["volume"], marks(run, self.token, self.volume_tags))
        if "InstanceMarketOptions" in self.request:
            tags += specifications(["spot-instances-request"], marks(run, self.token, self.spot_tags))
        request = dict(self.request)
        if self.user_data is not None:
            request["UserData"] = self.user_data.read_bytes()
        answer = self.at(run).call(
            "ec2.RunInstances", **request, MinCount=1, MaxCount=1, ClientToken=self.token, TagSpecifications=tags
        )
        return str(answer["Instances"][0]["InstanceId"])

    def undo(self, run: Run, made: str) -> None:
        """End it, wait until it has ended, and delete the volumes that stay."""
        at = self.at(run)
        if made != _NO_INSTANCE:
            try:
                at.call("ec2.TerminateInstances", InstanceIds=[made])
            except NotFound:
                pass
            else:
                watch.terminated(at, made)
        delete_volumes(at, self.token)

    def find(self, run: Run) -> str | None:
        """By its mark; also when only volumes of it are left."""
        at = self.at(run)
        for reservation in at.pages("ec2.DescribeInstances", "Reservations", Filters=by_token(self.token)):
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] != "terminated":
                    return str(instance["InstanceId"])
        left = next(iter(at.pages("ec2.DescribeVolumes", "Volumes", Filters=by_token(self.token))), None)
        return _NO_INSTANCE if left is not None else None
