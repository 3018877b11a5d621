"""What an instance may do at Amazon, and what it must wait for until it may."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import BadRequest, NotFound
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.backends.amazon.steps.role import CreateInstanceProfile, CreateRole
from packerpy.backends.amazon.tags import new_token

T = TypeVar("T")

_PATIENCE = 120.0
"""Seconds in which EC2 may come to know a new instance profile."""

_PAUSE = 3.0


def instance_profile(at: Cloud, spec: MachineOptions) -> str | None:
    """The declared one, or a temporary one with the declared policy."""
    if spec.temporary_policy is None:
        return spec.iam_instance_profile
    tags = dict(spec.run_tags)
    role = at.run.do(
        CreateRole(access=at.access, region=at.region, token=new_token(), tags=tags, policy=spec.temporary_policy)
    )
    return at.run.do(CreateInstanceProfile(access=at.access, region=at.region, token=new_token(), tags=tags, role=role))


def once_known(at: Cloud, profile: Mapping[str, str] | None, launch: Callable[[], T]) -> T:
    """Launch; while EC2 does not know a profile that was just made, try again."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return launch()
        except (BadRequest, NotFound) as error:
            if profile is None or profile["Name"] not in error.message or time.monotonic() > deadline:
                raise
        at.run.wait(_PAUSE)
