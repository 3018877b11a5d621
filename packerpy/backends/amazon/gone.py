"""Whether what an earlier build left at Amazon is still there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packerpy.backends.amazon.api import cloud
from packerpy.contracts import LooksForArtifacts, Run
from packerpy.values import Artifact

_KINDS = {
    "ami": ("ec2.DescribeImages", "image-id", "Images", ("available", "pending")),
    "snapshot": ("ec2.DescribeSnapshots", "snapshot-id", "Snapshots", ("completed", "pending")),
    "volume": ("ec2.DescribeVolumes", "volume-id", "Volumes", ("available", "in-use", "creating")),
}
"""Of outputs named ``<kind>:<region>…``: who tells of them, by which filter, where in the answer, in which states."""


class LooksAtAmazon(LooksForArtifacts):
    """Of all that leave things in one or more regions."""

    spec: Any

    def gone(self, run: Run, artifact: Artifact) -> str:
        """See :class:`packerpy.contracts.LooksForArtifacts`: each region is asked."""
        return ", ".join(self._missing(run, artifact))

    def _missing(self, run: Run, artifact: Artifact) -> Iterator[str]:
        for output, thing in artifact.outputs.items():
            kind, _, rest = output.partition(":")
            if kind not in _KINDS:
                continue
            question, name, listed, states = _KINDS[kind]
            region = rest.partition(":")[0]
            # By a filter, as a question for an id that there is not is an error.
            filters = [{"Name": name, "Values": [thing]}]
            found = cloud(run, self.spec.access, region).call(question, Filters=filters)[listed]
            if not any(one.get("State") in states for one in found):
                yield f"{thing} is gone from {region}"
