"""What can be wrong with a declared instance, as far as the declaration alone tells."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import get_args

from packerpy.backends.amazon.specs.devices import problems_of
from packerpy.backends.amazon.specs.kms import key_problems
from packerpy.backends.amazon.specs.login_checks import login_problems
from packerpy.backends.amazon.specs.machine import MachineOptions, SpotAllocation
from packerpy.values import Problem

_BURSTABLE = re.compile(r"t(2|3|3a|4g)\.")
_PRICE = re.compile(r"\d+(\.\d+)?")
_IDS = {
    "source_ami": "ami-",
    "subnet_id": "subnet-",
    "vpc_id": "vpc-",
    "host_id": "h-",
    "host_group": "arn:",
}


def machine_problems(spec: MachineOptions) -> Iterable[Problem]:
    """All of them."""
    yield from (problem.within("access") for problem in spec.access.problems())
    if spec.source_ami is None:
        yield Problem(where="source_ami", what="is missing", fix="give an image id, or newest_ami(…)")
    if not spec.instance_type:
        yield Problem(where="instance_type", what="is missing", fix='give one, such as "t3.small"')
    yield from _ids(spec)
    yield from login_problems(spec)
    yield from _network(spec)
    yield from _metadata(spec)
    yield from _spot(spec)
    yield from _money(spec)
    yield from _place(spec)
    yield from problems_of("disks", spec.disks)
    if spec.user_data is not None and spec.user_data_file is not None:
        yield Problem(where="user_data_file", what="does not go with user_data", fix="give one of them")
    if spec.user_data_file is not None and not spec.user_data_file.is_file():
        yield Problem(where="user_data_file", what="there is no such file", seen=str(spec.user_data_file))
    if spec.kms_key is not None and not spec.encrypt:
        yield Problem(where="kms_key", what="is of no use without encryption", fix="add encrypt=True")
    yield from key_problems("kms_key", spec.kms_key)
    if spec.shutdown_behavior not in ("stop", "terminate"):
        fix = 'use "stop" or "terminate"'
        yield Problem(where="shutdown_behavior", what="is none of the two", seen=repr(spec.shutdown_behavior), fix=fix)
    yield from tag_problems("run_tags", spec.run_tags)
    yield from tag_problems("volume_tags", spec.volume_tags)
    yield from tag_problems("spot_tags", spec.spot_tags)
    yield from tag_problems("fleet_tags", spec.fleet_tags)


def tag_problems(where: str, tags: Mapping[str, str]) -> Iterable[Problem]:
    """Amazon's rules for tags, and one of ours."""
    if len(tags) > 45:
        yield Problem(where=where, what="are too many", seen=str(len(tags)), fix="45 at most; 5 are ours")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            fix = "a key has 1 to 128 characters, a value at most 256"
            yield Problem(where=f"{where}[{key!r}]", what="is too long or empty", fix=fix)
        if key.lower().startswith(("aws:", "packerpy:")):
            fix = "names that begin with aws: are Amazon's, those with packerpy: ours"
            yield Problem(where=f"{where}[{key!r}]", what="is a reserved name", fix=fix)


def _ids(spec: MachineOptions) -> Iterable[Problem]:
    for name, prefix in _IDS.items():
        seen = getattr(spec, name)
        if isinstance(seen, str) and not seen.startswith(prefix):
            yield Problem(where=name, what="is not an id", seen=repr(seen), fix=f"it must begin with {prefix}")
    for number, group in enumerate(spec.security_group_ids):
        if not group.startswith("sg-"):
            fix = "it must begin with sg-"
            yield Problem(where=f"security_group_ids[{number}]", what="is not an id", seen=repr(group), fix=fix)


def _network(spec: MachineOptions) -> Iterable[Problem]:
    if spec.subnet_id is not None and spec.subnet_filter:
        yield Problem(where="subnet_filter", what="does not go with subnet_id", fix="give one of them")
    if spec.vpc_id is not None and spec.vpc_filter:
        yield Problem(where="vpc_filter", what="does not go with vpc_id", fix="give one of them")
    if spec.security_group_ids and spec.security_group_filter:
        yield Problem(where="security_group_filter", what="does not go with security_group_ids", fix="give one of them")
    for where in ("security_group_ids", "security_group_filter"):
        if spec.ingress and getattr(spec, where):
            fix = "leave one of them out: existing groups are not changed"
            yield Problem(where="ingress", what=f"does not go with {where}", fix=fix)
    for number, network in enumerate(spec.ingress):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            fix = "write it like 198.51.100.7/32"
            yield Problem(where=f"ingress[{number}]", what=f"is not a network: {error}", seen=network, fix=fix)
    if spec.private_ip is not None:
        try:
            ipaddress.ip_address(spec.private_ip)
        except ValueError:
            yield Problem(where="private_ip", what="is not an address", seen=spec.private_ip)


def _metadata(spec: MachineOptions) -> Iterable[Problem]:
    if spec.instance_metadata_tags and not spec.metadata_service:
        fix = "leave metadata_service=False out"
        yield Problem(where="instance_metadata_tags", what="needs the metadata service", fix=fix)
    if spec.http_tokens not in ("required", "optional"):
        yield Problem(where="http_tokens", what="is none of the two", seen=repr(spec.http_tokens), fix='use "required"')
    if not 1 <= spec.http_put_response_hop_limit <= 64:
        seen = str(spec.http_put_response_hop_limit)
        yield Problem(where="http_put_response_hop_limit", what="is out of bounds", seen=seen, fix="use 1 to 64")


def driver_problems(spec: MachineOptions, *fields: str) -> Iterable[Problem]:
    """Fields that Amazon is told by changing the stopped instance, which a spot instance does not let happen."""
    for where in fields:
        if spec.spot and getattr(spec, where):
            fix = "leave it out: a spot instance cannot be changed"
            yield Problem(where=where, what="does not go with spot", fix=fix)


def _spot(spec: MachineOptions) -> Iterable[Problem]:
    for where in ("spot_price", "spot_tags", "spot_allocation", "fleet_tags"):
        if getattr(spec, where) and not spec.spot:
            yield Problem(where=where, what="is of no use without spot", fix="add spot=True")
    if spec.spot_price is not None and not _PRICE.fullmatch(spec.spot_price):
        yield Problem(where="spot_price", what="is not a price", seen=repr(spec.spot_price), fix='write "0.05"')
    if spec.spot_allocation is None and spec.fleet_tags:
        fix = 'add spot_allocation="price-capacity-optimized", or use spot_tags'
        yield Problem(where="fleet_tags", what="are of no use without a fleet", fix=fix)
    if spec.spot_allocation is not None and spec.spot_allocation not in get_args(SpotAllocation):
        fix = f"use one of {', '.join(get_args(SpotAllocation))}"
        yield Problem(where="spot_allocation", what="is none of them", seen=repr(spec.spot_allocation), fix=fix)
    if spec.spot_allocation is not None and spec.private_ip is not None:
        fix = "leave one of them out"
        yield Problem(where="private_ip", what="does not go with spot_allocation", seen=spec.private_ip, fix=fix)


def _money(spec: MachineOptions) -> Iterable[Problem]:
    if len(spec.instance_type) > 1 and not spec.spot:
        yield Problem(where="instance_type", what="several are tried for spot only", fix="give one, or add spot=True")
    if spec.unlimited_credits:
        other = [kind for kind in spec.instance_type if not _BURSTABLE.match(kind)]
        if other:
            fix = "use a type of t2, t3, t3a or t4g"
            yield Problem(where="unlimited_credits", what="burstable types only", seen=", ".join(other), fix=fix)
        if spec.spot:
            yield Problem(where="unlimited_credits", what="does not go with spot", fix="leave one of them out")


def _place(spec: MachineOptions) -> Iterable[Problem]:
    if spec.tenancy is not None and spec.tenancy not in ("default", "dedicated", "host"):
        fix = "use default, dedicated or host"
        yield Problem(where="tenancy", what="is none of the words known here", seen=repr(spec.tenancy), fix=fix)
    if spec.spot and (spec.capacity_reservation is not None or spec.tenancy == "host"):
        where = "capacity_reservation" if spec.capacity_reservation is not None else "tenancy"
        yield Problem(where=where, what="does not go with spot", fix="leave one of them out")
    reservation = spec.capacity_reservation
    if reservation not in (None, "open", "none") and not str(reservation).startswith(("cr-", "arn:")):
        fix = 'give an id (cr-…), a group\'s ARN, "open" or "none"'
        yield Problem(where="capacity_reservation", what="is no reservation", seen=repr(reservation), fix=fix)
    if spec.host_id is not None and spec.host_group is not None:
        yield Problem(where="host_group", what="does not go with host_id", fix="give one of them")
    if (spec.host_id is not None or spec.host_group is not None) and spec.tenancy != "host":
        fix = 'add tenancy="host"'
        yield Problem(where="tenancy", what="must be host for a dedicated host", seen=repr(spec.tenancy), fix=fix)
    if spec.enclave and spec.spot:
        yield Problem(where="enclave", what="does not go with spot", fix="leave one of them out")
    burstable = [kind for kind in spec.instance_type if _BURSTABLE.match(kind)]
    if spec.enclave and burstable:
        fix = "use a type of another family, with 4 vCPUs or more"
        yield Problem(where="enclave", what="is not for burstable types", seen=", ".join(burstable), fix=fix)
