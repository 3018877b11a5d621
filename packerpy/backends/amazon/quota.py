"""How many virtual processors the account may run, asked before an instance is started."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from packerpy.backends.amazon.api import Answer, Cloud
from packerpy.backends.amazon.errors import AmazonError
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.values import Problem


@attrs.frozen
class Class:
    """Instance families that share a quota.

    :ivar name: Amazon's.
    :ivar families: letters that names of their types begin with, up to the first digit or dash.
    :ivar on_demand: code of the quota, at Service Quotas.
    :ivar spot: likewise, for spare capacity; empty where there is none.
    """

    name: str
    families: frozenset[str]
    on_demand: str
    spot: str = ""


_CLASSES = tuple(
    Class(name, frozenset(families.split()), *codes.split())
    for name, families, codes in (
        ("Standard", "a c d h i im is m r t z", "L-1216C47A L-34B43A08"),
        ("F", "f", "L-74FC7D96 L-88CF9481"),
        ("G and VT", "g gr vt", "L-DB2E81BA L-3819A6DF"),
        ("P", "p", "L-417A185B L-7212CCBC"),
        ("X", "x", "L-7295265B L-E3A00192"),
        ("Inf", "inf", "L-1945791B L-B5D1601B"),
        ("Trn", "trn", "L-2C3B7624 L-6B0D517C"),
        ("DL", "dl", "L-6E869C2A L-85EED4F7"),
        ("HPC", "hpc", "L-F7808C92"),
        ("High Memory", "u", "L-43DA4232"),
    )
)
"""From EC2's page on quotas of instances."""


def problems(at: Cloud, spec: MachineOptions, kinds: Iterable[Answer]) -> Iterator[Problem]:
    """Whether a quota leaves room for one of the declared types.

    Where Service Quotas does not answer, or does not know, nothing is said: the launch itself will tell. What a
    dedicated host runs is not counted by these quotas.

    :param kinds: the types, as EC2 describes them.
    """
    if spec.tenancy == "host":
        return
    found = []
    for kind in kinds:
        problem = _problem(at, spec, str(kind["InstanceType"]), int(kind["VCpuInfo"]["DefaultVCpus"]))
        if problem is None:
            return
        found.append(problem)
    yield from found


def _problem(at: Cloud, spec: MachineOptions, kind: str, wanted: int) -> Problem | None:
    group = _class_of(kind)
    code = "" if group is None else group.spot if spec.spot else group.on_demand
    if group is None or not code:
        return None
    try:
        limit = at.call("service-quotas.GetServiceQuota", ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
        used = 0 if wanted > limit else _used(at, group, spot=spec.spot)
    except AmazonError:
        return None
    if used + wanted <= limit:
        return None
    taken = f", and {used} run" if used else ""
    return Problem(
        where="instance_type",
        what=f"the account has no room for it in {at.region}: its {group.name} instances may have {limit:g} vCPUs"
        f" {'on spare capacity' if spec.spot else 'on demand'}{taken}",
        seen=f"{kind} has {wanted}",
        fix=f"stop machines, take a smaller instance_type, or have {code} raised in Service Quotas",
    )


def _used(at: Cloud, group: Class, *, spot: bool) -> int:
    """Virtual processors of instances that count."""
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = at.pages("ec2.DescribeInstances", "Reservations", Filters=filters)
    instances = (instance for reservation in reservations for instance in reservation["Instances"])
    return sum(_processors(one) for one in instances if _counts(one, group, spot=spot))


def _counts(instance: Mapping[str, Any], group: Class, *, spot: bool) -> bool:
    return (
        _class_of(str(instance["InstanceType"])) == group
        and (instance.get("InstanceLifecycle") == "spot") == spot
        and instance.get("Placement", {}).get("Tenancy") != "host"
    )


def _processors(instance: Mapping[str, Any]) -> int:
    told = instance.get("CpuOptions") or {}
    return int(told.get("CoreCount", 0)) * int(told.get("ThreadsPerCore", 1))


def _class_of(kind: str) -> Class | None:
    letters = re.match(r"[a-z]*", kind)
    return next((one for one in _CLASSES if letters is not None and letters[0] in one.families), None)
