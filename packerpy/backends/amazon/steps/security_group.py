"""A temporary security group."""

from __future__ import annotations

import attrs

from packerpy.backends.amazon.errors import NotFound, WrongState
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import by_token, marks, specifications
from packerpy.contracts import Run, Step

_PATIENCE = 12
"""Times to ask again, 5 s apart, while Amazon has not seen yet that the group's instance is gone."""


@attrs.frozen(kw_only=True)
class CreateSecurityGroup(Thing, Step[str]):
    """Acquires a group that lets nothing in; what may come in is added to it.

    :ivar vpc_id: where.
    """

    vpc_id: str

    @property
    def title(self) -> str:
        """Which."""
        return f"security group packerpy-{self.token} in {self.region}"

    def do(self, run: Run) -> str:
        """Make it."""
        answer = self.at(run).call(
            "ec2.CreateSecurityGroup",
            GroupName=f"packerpy-{self.token}",
            Description="temporary, of an image build",
            VpcId=self.vpc_id,
            TagSpecifications=specifications(["security-group"], marks(run, self.token, self.tags)),
        )
        return str(answer["GroupId"])

    def undo(self, run: Run, made: str) -> None:
        """Delete it; an instance that has just ended may still hold it for a moment."""
        for attempt in range(_PATIENCE + 1):
            try:
                self.at(run).call("ec2.DeleteSecurityGroup", GroupId=made)
            except NotFound:
                return
            except WrongState:
                if attempt == _PATIENCE:
                    raise
                run.wait(5)
            else:
                return

    def find(self, run: Run) -> str | None:
        """By its mark."""
        found = self.at(run).call("ec2.DescribeSecurityGroups", Filters=by_token(self.token))["SecurityGroups"]
        return str(found[0]["GroupId"]) if found else None
