"""What Amazon can be asked before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from packerpy.backends.amazon import network, quota, tunnel
from packerpy.backends.amazon.api import Cloud, cloud
from packerpy.backends.amazon.specs.image import ImageOptions
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.contracts import Run
from packerpy.errors import SourceError
from packerpy.kit.choices import suggestion
from packerpy.values import Problem


def asked(where: str, question: Callable[[], Any]) -> Iterator[Problem]:
    """What the question raises, as a problem of one field."""
    try:
        question()
    except SourceError as error:
        yield Problem(where=where, what=error.brief, fix=error.resolution)


def regions(at: Cloud, wanted: Mapping[str, Iterable[str]]) -> Iterable[Problem]:
    """Regions that there are not, or that the account has not enabled.

    :param wanted: field → what it names.
    """
    if not at.known_region():  # it would have no endpoint to ask
        at = cloud(at.run, at.access, "us-east-1")
    listed = at.call("ec2.DescribeRegions", AllRegions=True)["Regions"]
    known = {str(one["RegionName"]): str(one.get("OptInStatus")) for one in listed}
    for where, region in ((where, region) for where, names in wanted.items() for region in names):
        if region not in known:
            fix = suggestion(region, known)
            yield Problem(where=where, what="there is no such region", seen=region, fix=fix)
        elif known[region] == "not-opted-in":
            fix = "enable the region in the account's settings"
            yield Problem(where=where, what="the account has not enabled this region", seen=region, fix=fix)


def machine(at: Cloud, spec: MachineOptions) -> Iterable[Problem]:
    """Whether everything that the instance needs is there."""
    if spec.ssh_interface == "session_manager":
        yield from tunnel.problems()
    images: list[Any] = []
    yield from asked(
        "source_ami", lambda: images.extend(at.call("ec2.DescribeImages", ImageIds=[spec.source_ami])["Images"])
    )
    if not images:
        return
    yield from _types(at, spec, images[0])
    found: list[network.Network] = []
    yield from asked("subnet_id" if spec.subnet_id else "vpc_id", lambda: found.append(network.discover(at, spec)))
    if spec.security_group_filter and found:
        yield from asked("security_group_filter", lambda: network.groups(at, spec, found[0]))
    if spec.security_group_ids:
        groups = list(spec.security_group_ids)
        yield from asked("security_group_ids", lambda: at.call("ec2.DescribeSecurityGroups", GroupIds=groups))
    if spec.key_pair is not None:
        yield from asked("key_pair", lambda: at.call("ec2.DescribeKeyPairs", KeyNames=[spec.key_pair]))
    if spec.iam_instance_profile is not None:
        name = spec.iam_instance_profile
        yield from asked("iam_instance_profile", lambda: at.call("iam.GetInstanceProfile", InstanceProfileName=name))


def _types(at: Cloud, spec: MachineOptions, image: Any) -> Iterable[Problem]:
    wanted = list(spec.instance_type)
    told: list[Any] = []
    question = lambda: told.extend(at.call("ec2.DescribeInstanceTypes", InstanceTypes=wanted)["InstanceTypes"])  # noqa: E731
    yield from asked("instance_type", question)
    architecture = image.get("Architecture")
    for kind in told:
        able = kind["ProcessorInfo"]["SupportedArchitectures"]
        if architecture is not None and architecture not in able:
            yield Problem(
                where="instance_type",
                what=f"has another architecture than the image ({architecture})",
                seen=f"{kind['InstanceType']}: {', '.join(able)}",
                fix="use an image or an instance type of the other kind",
            )
    yield from quota.problems(at, spec, told)


def names(run: Run, at: Cloud, spec: ImageOptions, places: Iterable[str]) -> Iterable[Problem]:
    """Whether the image's name is free in all regions."""
    if spec.force_deregister:
        return
    for region in places:
        taken = existing(cloud(run, at.access, region), spec.ami_name)
        if taken:
            yield Problem(
                where="ami_name",
                what=f"there is an image of this name in {region}",
                seen=f"{spec.ami_name} ({', '.join(taken)})",
                fix="choose another name, or declare force_deregister=True",
            )


def existing(at: Cloud, name: str) -> tuple[str, ...]:
    """Our own images of a name."""
    filters = [{"Name": "name", "Values": [name]}]
    found = at.pages("ec2.DescribeImages", "Images", Owners=["self"], Filters=filters)
    return tuple(str(image["ImageId"]) for image in found if image["Name"] == name)
