"""Launch templates."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import by_token, marks, specifications
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class CreateLaunchTemplate(Thing, Step[str]):
    """Acquires a launch template, by its id.

    :ivar data: what is launched by it.
    :ivar user_data: a file of ours with first-boot data; apart from that, for the journal must not have it.
    """

    data: dict[str, Any]
    user_data: Path | None = None

    @property
    def title(self) -> str:
        """Which."""
        return f"launch template packerpy-{self.token} in {self.region}"

    def do(self, run: Run) -> str:
        """Make it."""
        data = dict(self.data)
        if self.user_data is not None:
            data["UserData"] = base64.b64encode(self.user_data.read_bytes()).decode()
        answer = self.at(run).call(
            "ec2.CreateLaunchTemplate",
            LaunchTemplateName=f"packerpy-{self.token}",
            LaunchTemplateData=data,
            ClientToken=self.token,
            TagSpecifications=specifications(["launch-template"], marks(run, self.token, self.tags)),
        )
        return str(answer["LaunchTemplate"]["LaunchTemplateId"])

    def undo(self, run: Run, made: str) -> None:
        """Delete it."""
        try:
            self.at(run).call("ec2.DeleteLaunchTemplate", LaunchTemplateId=made)
        except NotFound:
            pass

    def find(self, run: Run) -> str | None:
        """By its mark."""
        found = self.at(run).pages("ec2.DescribeLaunchTemplates", "LaunchTemplates", Filters=by_token(self.token))
        template = next(iter(found), None)
        return None if template is None else str(template["LaunchTemplateId"])
