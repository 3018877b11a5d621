"""An instance on spare capacity that a fleet starts."""

from __future__ import annotations

from typing import Any

import attrs

from packerpy.backends.amazon.api import Answer
from packerpy.backends.amazon.errors import NoCapacity, NoCapacityOfAny, error_for, kind_of
from packerpy.backends.amazon.steps.instance import LaunchInstance
from packerpy.backends.amazon.tags import marks, specifications
from packerpy.contracts import Run

_OPERATION = "ec2.CreateFleet"


@attrs.frozen(kw_only=True)
class LaunchByFleet(LaunchInstance):
    """Acquires an instance, by its id; the template that it is launched by says what it is marked with.

    The fleet ends with its only instance: it is an instant one, which starts none in place of another.

    :ivar fleet_tags: of the fleet, next to ours.
    """

    fleet_tags: dict[str, str] = attrs.field(factory=dict)

    @property
    def title(self) -> str:
        """Which."""
        return f"instance packerpy-{self.token} in {self.region}, by a fleet"

    def do(self, run: Run) -> str:
        """Let Amazon choose among all that is asked for.

        :raises NoCapacityOfAny: it has none of them.
        """
        tags = specifications(["fleet"], marks(run, self.token, self.fleet_tags))
        answer = self.at(run).call(_OPERATION, **self.request, TagSpecifications=tags)
        started = [identity for one in answer.get("Instances", ()) for identity in one["InstanceIds"]]
        if not started:
            raise _why(answer)
        return str(started[0])


def _why(answer: Answer) -> Exception:
    """Why a fleet has no instance: one reason for each type, of which another one than no capacity counts."""
    errors: list[dict[str, Any]] = answer.get("Errors") or [
        {"ErrorCode": "", "ErrorMessage": "no instance was started"}
    ]
    for error in errors:
        if not issubclass(kind_of(error["ErrorCode"]), NoCapacity):
            return error_for(_OPERATION, error["ErrorCode"], error["ErrorMessage"])
    named = (error.get("LaunchTemplateAndOverrides", {}).get("Overrides", {}) for error in errors)
    return NoCapacityOfAny(
        {str(one.get("InstanceType", "")): str(error["ErrorMessage"]) for one, error in zip(named, errors, strict=True)}
    )
