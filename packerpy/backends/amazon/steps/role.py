"""A temporary role for an instance, and the profile that carries it."""

from __future__ import annotations

import json

import attrs

from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.backends.amazon.tags import marks, pairs
from packerpy.contracts import Run, Step

_POLICY = "packerpy"


@attrs.frozen(kw_only=True)
class _Named(Thing):
    """Found by its name, which has the mark in it."""

    @property
    def name(self) -> str:
        """At Amazon."""
        return f"packerpy-{self.token}"


@attrs.frozen(kw_only=True)
class CreateRole(_Named, Step[str]):
    """Acquires a role that instances can have.

    :ivar policy: what it may do, as JSON.
    """

    policy: str

    @property
    def title(self) -> str:
        """Which."""
        return f"role {self.name}"

    def do(self, run: Run) -> str:
        """Make it, and say what it may do."""
        at = self.at(run)
        service = "ec2.amazonaws.com.cn" if self.region.startswith("cn-") else "ec2.amazonaws.com"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        at.call(
            "iam.CreateRole",
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            Description="temporary, of an image build",
            Tags=pairs(marks(run, self.token, self.tags)),
        )
        at.call("iam.PutRolePolicy", RoleName=self.name, PolicyName=_POLICY, PolicyDocument=self.policy)
        return self.name

    def undo(self, run: Run, made: str) -> None:
        """Take its policy away, and delete it."""
        removals: tuple[tuple[str, dict[str, str]], ...] = (
            ("iam.DeleteRolePolicy", {"PolicyName": _POLICY}),
            ("iam.DeleteRole", {}),
        )
        for operation, more in removals:
            try:
                self.at(run).call(operation, RoleName=made, **more)
            except NotFound:
                pass

    def find(self, run: Run) -> str | None:
        """By its name."""
        try:
            return str(self.at(run).call("iam.GetRole", RoleName=self.name)["Role"]["RoleName"])
        except NotFound:
            return None


@attrs.frozen(kw_only=True)
class CreateInstanceProfile(_Named, Step[str]):
    """Acquires an instance profile with one role.

    :ivar role: its name.
    """

    role: str

    @property
    def title(self) -> str:
        """Which."""
        return f"instance profile {self.name}"

    def do(self, run: Run) -> str:
        """Make it, and put the role in."""
        at = self.at(run)
        tags = pairs(marks(run, self.token, self.tags))
        at.call("iam.CreateInstanceProfile", InstanceProfileName=self.name, Tags=tags)
        at.call("iam.AddRoleToInstanceProfile", InstanceProfileName=self.name, RoleName=self.role)
        return self.name

    def undo(self, run: Run, made: str) -> None:
        """Take the role out, if it is in, and delete it."""
        at = self.at(run)
        try:
            there = at.call("iam.GetInstanceProfile", InstanceProfileName=made)["InstanceProfile"]
            for role in there["Roles"]:
                name = str(role["RoleName"])
                at.call("iam.RemoveRoleFromInstanceProfile", InstanceProfileName=made, RoleName=name)
            at.call("iam.DeleteInstanceProfile", InstanceProfileName=made)
        except NotFound:
            pass

    def find(self, run: Run) -> str | None:
        """By its name."""
        try:
            answer = self.at(run).call("iam.GetInstanceProfile", InstanceProfileName=self.name)
        except NotFound:
            return None
        return str(answer["InstanceProfile"]["InstanceProfileName"])
