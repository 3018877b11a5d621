"""Where an instance runs: VPC, subnet, and who may reach it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any

import attrs

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import CallerUnknown, NoNetwork
from packerpy.backends.amazon.specs.machine import MachineOptions


@attrs.frozen(kw_only=True)
class Network:
    """What was found.

    :ivar vpc_id: of the temporary security group.
    :ivar subnet_id: ``None`` leaves the choice in the default VPC to Amazon.
    :ivar cidrs: the VPC's networks.
    """

    vpc_id: str
    subnet_id: str | None
    cidrs: tuple[str, ...]


def discover(at: Cloud, spec: MachineOptions) -> Network:
    """Look for what the declaration names, or the default VPC.

    :raises NoNetwork: nothing matches.
    :raises NotFound: a named one is not there.
    """
    subnet = _subnet(at, spec)
    if subnet is not None:
        vpcs = at.call("ec2.DescribeVpcs", VpcIds=[subnet["VpcId"]])["Vpcs"]
    elif spec.vpc_id is not None:
        vpcs = at.call("ec2.DescribeVpcs", VpcIds=[spec.vpc_id])["Vpcs"]
    else:
        filters = spec.vpc_filter or {"is-default": "true"}
        vpcs = at.call("ec2.DescribeVpcs", Filters=_filters(filters))["Vpcs"]
        if len(vpcs) != 1:
            raise NoNetwork("VPC", filters, at.region, [vpc["VpcId"] for vpc in vpcs])
    if subnet is None and (spec.vpc_id is not None or spec.vpc_filter):
        subnet = _roomiest(at, {"vpc-id": vpcs[0]["VpcId"]}, spec.availability_zone)
    blocks = [str(one["CidrBlock"]) for one in vpcs[0].get("CidrBlockAssociationSet", ())]
    return Network(
        vpc_id=vpcs[0]["VpcId"],
        subnet_id=None if subnet is None else subnet["SubnetId"],
        cidrs=tuple(blocks or [vpcs[0]["CidrBlock"]]),
    )


def groups(at: Cloud, spec: MachineOptions, network: Network) -> list[str]:
    """The security groups of the VPC that match the declared filter.

    :raises NoNetwork: none does.
    """
    filters = {**spec.security_group_filter, "vpc-id": network.vpc_id}
    found = at.pages("ec2.DescribeSecurityGroups", "SecurityGroups", Filters=_filters(filters))
    ids = [str(group["GroupId"]) for group in found]
    if not ids:
        raise NoNetwork("security group", filters, at.region, [])
    return ids


def _subnet(at: Cloud, spec: MachineOptions) -> Mapping[str, Any] | None:
    if spec.subnet_id is not None:
        found: Mapping[str, Any] = at.call("ec2.DescribeSubnets", SubnetIds=[spec.subnet_id])["Subnets"][0]
        return found
    if not spec.subnet_filter:
        return None
    filters = dict(spec.subnet_filter)
    if spec.vpc_id is not None:
        filters["vpc-id"] = spec.vpc_id
    return _roomiest(at, filters, spec.availability_zone)


def _roomiest(at: Cloud, filters: Mapping[str, str], zone: str | None) -> Mapping[str, Any]:
    wanted = {**filters, **({"availability-zone": zone} if zone is not None else {})}
    found: list[Mapping[str, Any]] = list(at.pages("ec2.DescribeSubnets", "Subnets", Filters=_filters(wanted)))
    if not found:
        raise NoNetwork("subnet", wanted, at.region, [])
    return max(found, key=lambda subnet: int(subnet.get("AvailableIpAddressCount", 0)))


def _filters(filters: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]} for name, value in filters.items()]


def ingress(spec: MachineOptions, network: Network) -> tuple[str, ...]:
    """The networks that the temporary group lets in: those declared, else the address this host is seen from.

    :raises CallerUnknown: it cannot be found out.
    """
    if spec.ingress:
        return spec.ingress
    if spec.ssh_interface in ("private_ip", "private_dns"):
        return (_host(_source_address(network.cidrs[0])),)
    return (_host(_seen_from(spec.caller_address_url)),)


def _host(address: str) -> str:
    found = ipaddress.ip_address(address)
    return f"{found}/{found.max_prefixlen}"


def _source_address(network: str) -> str:
    """Ours on the way to a network; nothing is sent."""
    target = str(next(iter(ipaddress.ip_network(network).hosts())))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 22))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise CallerUnknown(f"the route to {target}", str(error)) from error


def _seen_from(url: str) -> str:
    import httpx

    try:
        answer = httpx.get(url, timeout=10.0, follow_redirects=True).raise_for_status().text.strip()
        return str(ipaddress.ip_address(answer))
    except (httpx.HTTPError, ValueError) as error:
        raise CallerUnknown(url, str(error)) from error


def rules(networks: tuple[str, ...], port: int) -> list[dict[str, Any]]:
    """One port for some networks, as EC2's request has it."""
    four = [{"CidrIp": one} for one in networks if ipaddress.ip_network(one).version == 4]
    six = [{"CidrIpv6": one} for one in networks if ipaddress.ip_network(one).version == 6]
    rule: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return [rule | ({"IpRanges": four} if four else {}) | ({"Ipv6Ranges": six} if six else {})]
