"""From a declaration to a running instance and the way to it; shared by all sources that run one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from packerpy.backends.amazon import fleet, network, reach, watch
from packerpy.backends.amazon.api import Cloud, cloud, default_region
from packerpy.backends.amazon.errors import NoCapacity, NoCapacityOfAny, NoRegion
from packerpy.backends.amazon.profile import instance_profile, once_known
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.backends.amazon.steps.instance import LaunchInstance
from packerpy.backends.amazon.steps.key_pair import ImportKeyPair
from packerpy.backends.amazon.steps.security_group import CreateSecurityGroup
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import Run
from packerpy.declare import Secret
from packerpy.kit.publish import writing
from packerpy.kit.ssh_keys import KeyKind, KeyPair, make_key_pair
from packerpy.values import Machine


def region_cloud(run: Run, spec: Any) -> Cloud:
    """Amazon in the declaration's region.

    :raises NoRegion: none is known.
    """
    region = spec.region or default_region(spec.access.profile)
    if region is None:
        raise NoRegion
    return cloud(run, spec.access, region)


def launch(at: Cloud, spec: MachineOptions) -> Machine:
    """Key pair, security group, instance; answers when it runs."""
    source = at.call("ec2.DescribeImages", ImageIds=[spec.source_ami])["Images"][0]
    key = _key(at, spec)
    groups = _groups(at, spec)
    profile = instance_profile(at, spec)
    instance = _start(at, spec, _request(spec, source, key, groups, profile))
    watch.running(at, instance)
    told = at.call("ec2.DescribeInstances", InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    way = reach.way(at, spec, told, key[1])
    return Machine(
        id=instance,
        endpoint=way.endpoint,
        communicator=way.communicator,
        facts={
            "region": at.region,
            "zone": str(told["Placement"]["AvailabilityZone"]),
            "instance_type": str(told["InstanceType"]),
            "architecture": str(source.get("Architecture", "x86_64")),
            "source_ami": str(spec.source_ami),
            "source_ami_name": str(source.get("Name", "")),
            "source_ami_owner": str(source.get("OwnerId", "")),
            "source_ami_created": str(source.get("CreationDate", "")),
            "root_device": str(source.get("RootDeviceName", "")),
            "user": way.endpoint.user,
        },
    )


def _key(at: Cloud, spec: MachineOptions) -> tuple[str | None, KeyPair | None]:
    """The name of the key pair at Amazon, and our half of a temporary one."""
    if spec.key_pair is not None:
        return spec.key_pair, None
    if reach.communicator(spec).kind != "ssh" and not spec.tells_password:
        return None, None
    asked: KeyKind = getattr(spec.communicator, "made_key", "ed25519")
    pair = make_key_pair(at.run.workdir / "ssh", kind="rsa" if spec.tells_password else asked)
    step = ImportKeyPair(
        access=spec.access, region=at.region, token=new_token(), tags=dict(spec.run_tags), public=pair.public
    )
    return at.run.do(step), pair


def _groups(at: Cloud, spec: MachineOptions) -> dict[str, Any]:
    """Subnet and groups, as EC2's request has them."""
    found = network.discover(at, spec)
    placed: dict[str, Any] = {} if found.subnet_id is None else {"SubnetId": found.subnet_id}
    if spec.security_group_ids:
        return placed | {"SecurityGroupIds": list(spec.security_group_ids)}
    if spec.security_group_filter:
        return placed | {"SecurityGroupIds": network.groups(at, spec, found)}
    if reach.communicator(spec).kind == "none" or spec.ssh_interface == "session_manager":
        rules = []
    else:
        rules = network.rules(network.ingress(spec, found), reach.port(spec))
    group = at.run.do(
        CreateSecurityGroup(
            access=spec.access,
            region=at.region,
            token=new_token(),
            tags=dict(spec.run_tags),
            vpc_id=found.vpc_id,
        )
    )
    if rules:
        at.call("ec2.AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=rules)
    return placed | {"SecurityGroupIds": [group]}


def _request(
    spec: MachineOptions,
    source: Any,
    key: tuple[str | None, KeyPair | None],
    placed: dict[str, Any],
    profile: str | None,
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "ImageId": spec.source_ami,
        "KeyName": key[0],
        "InstanceInitiatedShutdownBehavior": None if spec.spot else spec.shutdown_behavior,
        "BlockDeviceMappings": _mappings(spec, source) or None,
        "MetadataOptions": {
            "HttpTokens": spec.http_tokens,
            "HttpEndpoint": "enabled" if spec.metadata_service else "disabled",
            "HttpPutResponseHopLimit": spec.http_put_response_hop_limit,
            "InstanceMetadataTags": "enabled" if spec.instance_metadata_tags else "disabled",
        },
        "IamInstanceProfile": _if(profile, Name=profile),
        "EbsOptimized": spec.ebs_optimized,
        "CreditSpecification": _if(spec.unlimited_credits, CpuCredits="unlimited"),
        "CapacityReservationSpecification": _reservation(spec.capacity_reservation),
        "EnclaveOptions": _if(spec.enclave, Enabled=True),
        "LicenseSpecifications": [{"LicenseConfigurationArn": arn} for arn in spec.license_arns] or None,
        "InstanceMarketOptions": _market(spec),
        "Placement": _placement(spec) or None,
        "PrivateIpAddress": spec.private_ip,
        **placed,
    }
    if spec.associate_public_ip is not None:
        card = {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": spec.associate_public_ip,
            "DeleteOnTermination": True,
            "Groups": request.pop("SecurityGroupIds"),
            "SubnetId": request.pop("SubnetId", None),
            "PrivateIpAddress": request.pop("PrivateIpAddress"),
        }
        request["NetworkInterfaces"] = [{name: value for name, value in card.items() if value is not None}]
    return {name: value for name, value in request.items() if value is not None}


def _if(wanted: object, **value: Any) -> dict[str, Any] | None:
    return value if wanted else None


def _reservation(named: str | None) -> dict[str, Any] | None:
    if named is None:
        return None
    if named in ("open", "none"):
        return {"CapacityReservationPreference": named}
    name = "CapacityReservationResourceGroupArn" if named.startswith("arn:") else "CapacityReservationId"
    return {"CapacityReservationTarget": {name: named}}


def _market(spec: MachineOptions) -> dict[str, Any] | None:
    if not spec.spot:
        return None
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    if spec.spot_price is not None:
        options["MaxPrice"] = spec.spot_price
    return {"MarketType": "spot", "SpotOptions": options}


def _placement(spec: MachineOptions) -> dict[str, str]:
    placement = {
        "AvailabilityZone": spec.availability_zone,
        "Tenancy": spec.tenancy,
        "GroupName": spec.placement_group,
        "HostId": spec.host_id,
        "HostResourceGroupArn": spec.host_group,
    }
    return {name: value for name, value in placement.items() if value is not None}


def _mappings(spec: MachineOptions, source: Any) -> list[dict[str, Any]]:
    """The declared disks; for an encrypted build the root disk too, and with it the finished image."""
    mappings = [disk.mapping() for disk in spec.launched_disks]
    if spec.encrypt:
        root = str(source["RootDeviceName"])
        secret = {"Encrypted": True, **({"KmsKeyId": spec.kms_key} if spec.kms_key else {})}
        mine = next((mapping for mapping in mappings if mapping["DeviceName"] == root), None)
        if mine is None:
            size = {"VolumeSize": told} if (told := _root_volume(source).get("VolumeSize")) else {}
            mappings.append({"DeviceName": root, "Ebs": {**secret, **size, "DeleteOnTermination": True}})
        else:
            mine["Ebs"] |= secret
    return mappings


def _root_volume(source: Any) -> dict[str, Any]:
    """Of the image's root disk, as EC2 tells it."""
    mappings = source.get("BlockDeviceMappings", ())
    return next((dict(one["Ebs"]) for one in mappings if one["DeviceName"] == source["RootDeviceName"]), {})


def _start(at: Cloud, spec: MachineOptions, request: dict[str, Any]) -> str:
    """Start it; of several spot types the first that there is, or that which Amazon recommends."""
    user_data = _user_data(at.run, spec)
    if spec.spot_allocation is not None:
        by_fleet = partial(at.run.do, fleet.step(at, spec, request, user_data))
        return once_known(at, request.get("IamInstanceProfile"), by_fleet)
    tried: dict[str, str] = {}
    for kind in spec.instance_type:
        step = LaunchInstance(
            access=spec.access,
            region=at.region,
            token=new_token(),
            tags=dict(spec.run_tags),
            volume_tags=dict(spec.volume_tags),
            spot_tags=dict(spec.spot_tags),
            request={**request, "InstanceType": kind},
            user_data=user_data,
        )
        try:
            return once_known(at, request.get("IamInstanceProfile"), partial(at.run.do, step))
        except NoCapacity as error:
            if not spec.spot:
                raise
            at.run.say(f"no spot capacity of {kind}: {error.brief}")
            tried[kind] = error.brief
    raise NoCapacityOfAny(tried)


def _user_data(run: Run, spec: MachineOptions) -> Path | None:
    if spec.user_data_file is not None:
        return spec.user_data_file.absolute()
    if spec.user_data is None:
        return None
    text = run.reveal(spec.user_data) if isinstance(spec.user_data, Secret) else spec.user_data
    path = run.workdir / "user-data"
    with writing(path) as part:
        part.write_text(text)
    return path
