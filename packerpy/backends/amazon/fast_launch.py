"""Windows images whose instances start from snapshots that were prepared beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from packerpy.backends.amazon.api import Answer, Cloud, cloud
from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.preflight import asked
from packerpy.backends.amazon.specs.fast_launch import FastLaunch, LaunchTemplate
from packerpy.backends.amazon.steps.fast_launch import EnableFastLaunch
from packerpy.backends.amazon.waiting import until
from packerpy.values import Problem

_LONGEST = 30.0
"""Seconds between two looks, at most: Amazon takes minutes."""


def problems(at: Cloud, wanted: FastLaunch | None, image: str, regions: Iterable[str]) -> Iterable[Problem]:
    """Whether the image is one of Windows, and all templates are there.

    :param image: what is built from.
    :param regions: of copies.
    """
    if wanted is None:
        return
    found: list[Answer] = []
    yield from asked("source_ami", lambda: found.extend(at.call("ec2.DescribeImages", ImageIds=[image])["Images"]))
    if found and str(found[0].get("Platform", "")).lower() != "windows":
        fix = "leave it out, or build from an image of Windows"
        yield Problem(where="fast_launch", what="is for Windows only", seen=str(found[0].get("Name", image)), fix=fix)
    for region in (at.region, *regions):
        template = wanted.template_in(region, own=region == at.region)
        if template is not None:
            there = cloud(at.run, at.access, region)
            where = f"templates[{region!r}]" if region in wanted.templates else "template"
            for problem in asked(where, partial(_template, there, template)):
                yield problem.within("fast_launch")


def enable(at: Cloud, wanted: FastLaunch | None, images: Mapping[str, str]) -> None:
    """Have snapshots prepared in all regions, and wait until Amazon may begin.

    :param images: region → image.
    """
    if wanted is None:
        return
    steps = []
    for region, image in images.items():
        there = cloud(at.run, at.access, region)
        request = _request(there, wanted, wanted.template_in(region, own=region == at.region))
        steps.append(EnableFastLaunch(access=at.access, region=region, token="", image=image, request=request))
        at.run.keep(steps[-1])
    for step in steps:
        look = partial(step.look, at.run)
        until(at.run, step.title, look, wanted="enabled", longest=_LONGEST, limit=at.access.wait_timeout)


def _request(at: Cloud, wanted: FastLaunch, template: LaunchTemplate | None) -> dict[str, Any]:
    request = {
        "SnapshotConfiguration": None if wanted.count is None else {"TargetResourceCount": wanted.count},
        "MaxParallelLaunches": wanted.max_parallel,
        "LaunchTemplate": None if template is None else _template(at, template),
    }
    return {name: value for name, value in request.items() if value is not None}


def _template(at: Cloud, wanted: LaunchTemplate) -> dict[str, str]:
    """As EC2's request has it, which needs the version's number.

    :raises NotFound: it is not there.
    """
    named = {"LaunchTemplateNames": [wanted.name]} if wanted.id is None else {"LaunchTemplateIds": [wanted.id]}
    found = at.call("ec2.DescribeLaunchTemplates", **named)["LaunchTemplates"]
    if not found:
        code = "InvalidLaunchTemplateId.NotFound"
        raise NotFound("ec2.DescribeLaunchTemplates", code, f"there is no launch template {wanted.id or wanted.name}")
    version = wanted.version or found[0]["LatestVersionNumber"]
    return {"LaunchTemplateId": str(found[0]["LaunchTemplateId"]), "Version": str(version)}
