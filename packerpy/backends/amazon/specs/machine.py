"""Options of everything that runs an instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import attrs

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.specs.devices import Disk, disks
from packerpy.backends.amazon.specs.fields import as_json, hash_map, texts
from packerpy.contracts import CommunicatorSpec
from packerpy.declare import Later, Secret
from packerpy.declare.declaration import declaration
from packerpy.values import HostTool, frozen_map

Interface = Literal["public_ip", "private_ip", "public_dns", "private_dns", "ipv6", "session_manager"]
SpotAllocation = Literal[
    "price-capacity-optimized", "capacity-optimized", "capacity-optimized-prioritized", "lowest-price"
]

SESSION_MANAGER_PLUGIN = HostTool(
    name="session-manager-plugin", package="session-manager-plugin", needed_for="Session Manager tunnels (optional)"
)


@declaration(kw_only=True, slots=False)
class MachineOptions:
    """An instance that a build runs, and how it is reached.

    :param source_ami: the image it starts from.
    :param instance_type: such as ``t3.small``; several are tried in turn while Amazon has no capacity of one.
    :param region: by default the environment's or profile's.
    :param access: credentials and endpoint.
    :param user: login name that the image has: ``admin`` for Debian, ``ec2-user`` for Amazon Linux, ``ubuntu``.
    :param communicator: how to talk to it; by default SSH.
    :param ssh_interface: which address is used; by default the public one where there is one, else the private one.
        ``session_manager`` needs no address and opens no port: SSH goes through a tunnel that the instance's Session
        Manager agent and Amazon's ``session-manager-plugin`` on this host carry.
    :param subnet_id: where it runs; by default Amazon's choice in the default VPC.
    :param subnet_filter: or the subnet with most free addresses of those that match: ``{"tag:Name": "build"}``.
    :param vpc_id: of the temporary security group, where no subnet tells it.
    :param vpc_filter: or the one VPC that matches.
    :param availability_zone: where it runs.
    :param associate_public_ip: whether it has a public address; by default as the subnet says.
    :param private_ip: an address of the subnet, in place of Amazon's choice.
    :param key_pair: name of an existing key pair, whose private half the communicator has; by default a temporary
        ed25519 pair is made.
    :param security_group_ids: existing groups; by default a temporary one is made.
    :param security_group_filter: or all groups of the VPC that match: ``{"tag:Name": "build"}``.
    :param ingress: networks (``198.51.100.0/24``) that the temporary group lets in, to the communicator's port only; by
        default only the address that this host is seen from.
    :param caller_address_url: tells that address; Amazon's own service.
    :param iam_instance_profile: its name.
    :param temporary_policy: or a policy (JSON) for a temporary profile, which ends with the build.
    :param password_timeout: seconds in which Windows must have told the administrator's password, when ``WinRM`` has
        none; Packer's default of 20 minutes.
    :param user_data: first-boot data.
    :param user_data_file: or a file of it.
    :param disks: volumes, in place of those that the image has.
    :param encrypt: encrypt the root volume, and so the image.
    :param kms_key: by which key of this region; the account's default key else.
    :param metadata_service: whether the instance has its metadata service, without which cloud-init has no data.
    :param http_tokens: ``required`` allows version 2 of the instance metadata service only; Packer's default is
        ``optional``.
    :param http_put_response_hop_limit: of that service's answers; 2 for containers.
    :param instance_metadata_tags: whether the instance can read its own tags there.
    :param ebs_optimized: whether.
    :param spot: run on spare capacity, which may be taken away. Such an instance cannot be stopped: Amazon restarts it
        for an image, and snapshots are made while it runs.
    :param spot_price: dollars an hour at most; by default the on-demand price.
    :param spot_tags: on the request for it, next to our own.
    :param spot_allocation: ask for all types at once, by a fleet of one instance, and let Amazon choose:
        ``price-capacity-optimized`` (cheap, and not soon taken away), ``capacity-optimized``, that with the types'
        order as priorities (``capacity-optimized-prioritized``), or ``lowest-price``.
    :param fleet_tags: on that fleet, next to our own.
    :param unlimited_credits: of a burstable type.
    :param tenancy: ``default``, ``dedicated`` or ``host``.
    :param placement_group: its name.
    :param host_id: the dedicated host; needs ``tenancy="host"``.
    :param host_group: or the ARN of a resource group of hosts.
    :param capacity_reservation: a reservation to use: its id, or the ARN of a group of them; ``open`` takes any that
        fits, ``none`` none.
    :param enclave: let the instance have Nitro enclaves.
    :param license_arns: of License Manager.
    :param run_tags: on the instance and everything temporary, next to our own.
    :param volume_tags: on its volumes.
    :param shutdown_behavior: what a shutdown from inside means: ``stop`` or ``terminate``.
    :param stop: stop the instance for the image; ``False`` waits until it has stopped itself.
    """

    source_ami: str | Later | None = None
    instance_type: tuple[str, ...] = attrs.field(default=(), converter=texts)
    region: str | None = None
    access: Access = attrs.field(factory=Access)
    user: str | None = None
    communicator: CommunicatorSpec | None = None
    ssh_interface: Interface | None = None
    subnet_id: str | None = None
    subnet_filter: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    vpc_id: str | None = None
    vpc_filter: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    availability_zone: str | None = None
    associate_public_ip: bool | None = None
    private_ip: str | None = None
    key_pair: str | None = None
    security_group_ids: tuple[str, ...] = attrs.field(default=(), converter=texts)
    security_group_filter: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    ingress: tuple[str, ...] = attrs.field(default=(), converter=texts)
    caller_address_url: str = "https://checkip.amazonaws.com"
    iam_instance_profile: str | None = None
    temporary_policy: str | None = attrs.field(default=None, converter=as_json)
    password_timeout: float = 1200.0
    user_data: str | Secret | None = attrs.field(default=None, repr=False)
    user_data_file: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    disks: tuple[Disk, ...] = attrs.field(default=(), converter=disks)
    encrypt: bool = False
    kms_key: str | None = None
    metadata_service: bool = True
    http_tokens: Literal["required", "optional"] = "required"
    http_put_response_hop_limit: int = 1
    instance_metadata_tags: bool = False
    ebs_optimized: bool | None = None
    spot: bool = False
    spot_price: str | None = None
    spot_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    spot_allocation: SpotAllocation | None = None
    fleet_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    unlimited_credits: bool = False
    tenancy: Literal["default", "dedicated", "host"] | None = None
    placement_group: str | None = None
    host_id: str | None = None
    host_group: str | None = None
    capacity_reservation: str | None = None
    enclave: bool = False
    license_arns: tuple[str, ...] = attrs.field(default=(), converter=texts)
    run_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    volume_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    shutdown_behavior: Literal["stop", "terminate"] = "stop"
    stop: bool = True

    @property
    def launched_disks(self) -> tuple[Disk, ...]:
        """All that the instance is started with, next to those that its image has."""
        return self.disks

    @property
    def tells_password(self) -> bool:
        """Whether the login needs the password that Windows makes."""
        spec = self.communicator
        return (
            spec is not None
            and spec.kind == "winrm"
            and not (getattr(spec, "password", None) or getattr(spec, "auth", None) == "certificate")
        )

    def tools(self) -> Iterable[HostTool]:
        """The program that carries a tunnel."""
        return (SESSION_MANAGER_PLUGIN,) if self.ssh_interface == "session_manager" else ()

    def reads(self) -> Iterable[Path]:
        """The file with first-boot data."""
        return () if self.user_data_file is None else (self.user_data_file,)
