"""An instance on spare capacity, of that type of several which Amazon recommends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.backends.amazon.steps.fleet import LaunchByFleet
from packerpy.backends.amazon.steps.launch_template import CreateLaunchTemplate
from packerpy.backends.amazon.tags import marks, new_token, specifications

_NOT_IN_TEMPLATE = ("InstanceMarketOptions", "SubnetId")
"""Of a request for an instance: what is said with the fleet."""


def step(at: Cloud, spec: MachineOptions, request: dict[str, Any], user_data: Path | None) -> LaunchByFleet:
    """What starts it; the template for that is made here.

    :param request: of EC2's RunInstances, without a type.
    """
    token, tags = new_token(), dict(spec.run_tags)
    told = [
        *specifications(["instance"], {"Name": at.run.name, **marks(at.run, token, tags)}),
        *specifications(["volume"], marks(at.run, token, spec.volume_tags)),
        *specifications(["spot-instances-request"], marks(at.run, token, spec.spot_tags)),
    ]
    template = at.run.do(
        CreateLaunchTemplate(
            access=spec.access,
            region=at.region,
            token=new_token(),
            tags=tags,
            data={name: value for name, value in request.items() if name not in _NOT_IN_TEMPLATE}
            | {"TagSpecifications": told},
            user_data=user_data,
        )
    )
    return LaunchByFleet(
        access=spec.access,
        region=at.region,
        token=token,
        tags=tags,
        fleet_tags=dict(spec.fleet_tags),
        request={
            "Type": "instant",
            "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
            "SpotOptions": {"AllocationStrategy": spec.spot_allocation},
            "LaunchTemplateConfigs": [
                {
                    "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                    "Overrides": _overrides(spec, request.get("SubnetId")),
                }
            ],
        },
    )


def _overrides(spec: MachineOptions, subnet: str | None) -> list[dict[str, Any]]:
    """The types, the first one first where the strategy knows priorities."""
    prioritized = spec.spot_allocation == "capacity-optimized-prioritized"
    options = (
        {
            "InstanceType": kind,
            "SubnetId": subnet,
            "MaxPrice": spec.spot_price,
            "Priority": float(number) if prioritized else None,
        }
        for number, kind in enumerate(spec.instance_type)
    )
    return [{name: value for name, value in one.items() if value is not None} for one in options]
