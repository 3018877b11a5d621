"""An import task, and the image that comes out of it."""

from __future__ import annotations

from typing import Any

import attrs

from packerpy.backends.amazon.api import Answer, Cloud
from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.image import delete_snapshots, deregister, marked_snapshots, snapshots_of
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import by_token, marks, pairs, specifications
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class ImportImage(Thing, Step[str]):
    """Acquires an import task, by its id; undone, the task is cancelled, or its image removed.

    :ivar request: of EC2's ImportImage.
    """

    request: dict[str, Any]

    @property
    def title(self) -> str:
        """Which."""
        return f"import task packerpy-{self.token} in {self.region}"

    def do(self, run: Run) -> str:
        """Begin it."""
        tags = specifications(["import-image-task"], marks(run, self.token, self.tags))
        answer = self.at(run).call("ec2.ImportImage", **self.request, ClientToken=self.token, TagSpecifications=tags)
        return str(answer["ImportTaskId"])

    def undo(self, run: Run, made: str) -> None:
        """Cancel what runs; remove the image that is there, for it is an intermediate one."""
        at = self.at(run)
        task = task_of(at, made)
        if task.get("Status") == "active":
            at.call("ec2.CancelImportTask", ImportTaskId=made)
        elif task.get("Status") == "completed" and "ImageId" in task:
            # Nothing leads from the task to its snapshots any more once the image is gone, so they are marked before.
            snapshots = snapshots_of(at, task["ImageId"])
            if snapshots:
                at.call("ec2.CreateTags", Resources=snapshots, Tags=pairs(marks(run, self.token, self.tags)))
            deregister(at, task["ImageId"])
            delete_snapshots(at, marked_snapshots(at, self.token))

    def find(self, run: Run) -> str | None:
        """By its mark."""
        found = self.at(run).call("ec2.DescribeImportImageTasks", Filters=by_token(self.token))["ImportImageTasks"]
        return str(found[0]["ImportTaskId"]) if found else None


def task_of(at: Cloud, identity: str) -> Answer:
    """How it stands; empty when there is none."""
    try:
        found = at.call("ec2.DescribeImportImageTasks", ImportTaskIds=[identity])["ImportImageTasks"]
    except NotFound:
        return {}
    return dict(found[0]) if found else {}
