"""Snapshots that Amazon prepares of a Windows image."""

from __future__ import annotations

from typing import Any

import attrs

from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.waiting import Seen
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class EnableFastLaunch(Thing, Step[str]):
    """Acquires them, by the image's id.

    :ivar image: of which.
    :ivar request: of EC2's EnableFastLaunch.
    """

    image: str
    request: dict[str, Any]

    @property
    def title(self) -> str:
        """Which."""
        return f"fast launch of {self.image} in {self.region}"

    def do(self, run: Run) -> str:
        """Ask for them."""
        self.at(run).call("ec2.EnableFastLaunch", ImageId=self.image, ResourceType="snapshot", **self.request)
        return self.image

    def undo(self, run: Run, made: str) -> None:
        """Have them deleted."""
        self.at(run).call("ec2.DisableFastLaunch", ImageId=self.image, Force=True)

    def find(self, run: Run) -> str | None:
        """Whether there are any."""
        return self.image if self.look(run).state in ("enabling", "enabled", "enabled-failed") else None

    def look(self, run: Run) -> Seen:
        """How it stands."""
        try:
            found = self.at(run).call("ec2.DescribeFastLaunchImages", ImageIds=[self.image])["FastLaunchImages"]
        except NotFound:
            found = []
        if not found:
            return Seen()
        state = str(found[0]["State"])
        verdict = "success" if state == "enabled" else "retry" if state == "enabling" else "failure"
        return Seen(verdict, state, str(found[0].get("StateTransitionReason") or ""))
