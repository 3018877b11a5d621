"""Every configuration error of the declarations, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.none import NoCommunicator

GOOD: dict[str, Any] = {
    "ami_name": "web",
    "source_ami": "ami-1",
    "instance_type": "t3.micro",
    "user": "admin",
    "region": "us-east-1",
}
ROOT: dict[str, Any] = {"disks": [pp.amazon.Disk(device="/dev/xvdf", size="1 GiB")], "root_source": "/dev/xvdf"}
KEY = pp.Secret(env="KEY")
KMS = "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012"
Disk, Volume, Access = pp.amazon.Disk, pp.amazon.Volume, pp.amazon.Access
Vault = pp.amazon.Vault
FastLaunch, Template = pp.amazon.FastLaunch, pp.amazon.LaunchTemplate

FAST_LAUNCH: list[tuple[dict[str, Any], str]] = [
    ({"fast_launch": FastLaunch(count=0)}, "fast_launch.count"),
    ({"fast_launch": FastLaunch(max_parallel=5)}, "fast_launch.max_parallel"),
    ({"fast_launch": FastLaunch(template=Template(id="lt-1", name="x"))}, "fast_launch.template.name"),
    ({"fast_launch": FastLaunch(template=Template(version=1))}, "fast_launch.template.id"),
    ({"fast_launch": FastLaunch(template=Template(id="prepare"))}, "fast_launch.template.id"),
    ({"fast_launch": FastLaunch(template=Template(name="x", version=0))}, "fast_launch.template.version"),
    ({"fast_launch": FastLaunch(templates={"": Template(name="x")})}, "fast_launch.templates['']"),
    ({"fast_launch": FastLaunch(templates={"eu-west-1": Template(name="x")})}, "fast_launch.templates['eu-west-1']"),
    (
        {"regions": ["eu-west-1"], "fast_launch": FastLaunch(templates={"eu-west-1": Template()})},
        "fast_launch.templates['eu-west-1'].id",
    ),
    (
        {"fast_launch": FastLaunch(template=Template(name="x"), templates={"us-east-1": Template(name="y")})},
        "fast_launch.templates['us-east-1']",
    ),
]

EBS: list[tuple[dict[str, Any], str]] = [
    ({"ami_name": "ab"}, "ami_name"),
    ({"ami_name": "x" * 129}, "ami_name"),
    ({"ami_name": "bad*name"}, "ami_name"),
    ({"source_ami": None}, "source_ami"),
    ({"source_ami": "debian"}, "source_ami"),
    ({"instance_type": ()}, "instance_type"),
    ({"instance_type": ("t3.micro", "t3.small")}, "instance_type"),
    ({"user": None}, "user"),
    ({"communicator": pp.SSH(port=0)}, "communicator.port"),
    ({"access": Access(access_key=KEY)}, "access.secret_key"),
    ({"access": Access(secret_key=KEY)}, "access.access_key"),
    ({"access": Access(access_key=KEY, secret_key=pp.Secret(value="x"))}, "access.secret_key"),
    ({"access": Access(access_key=KEY, secret_key=KEY, profile="p")}, "access.profile"),
    ({"access": Access(session_token=KEY)}, "access.session_token"),
    ({"access": Access(vault=Vault(role=""))}, "access.vault.role"),
    ({"access": Access(vault=Vault(role="x", engine="/"))}, "access.vault.engine"),
    ({"access": Access(vault=Vault(role="x", role_arn="build"))}, "access.vault.role_arn"),
    ({"access": Access(vault=Vault(role="x", ttl=60))}, "access.vault.ttl"),
    ({"access": Access(vault=Vault(role="x", address="vault:8200"))}, "access.vault.address"),
    ({"access": Access(vault=Vault(role="x", token=pp.Secret(value="x")))}, "access.vault.token"),
    ({"access": Access(vault=Vault(role="x"), access_key=KEY, secret_key=KEY)}, "access.vault"),
    ({"access": Access(vault=Vault(role="x"), profile="p")}, "access.vault"),
    ({"access": Access(role_duration=3600)}, "access.role_duration"),
    ({"access": Access(role_tags={"a": "b"})}, "access.role_tags"),
    ({"access": Access(assume_role="arn:x", role_duration=60)}, "access.role_duration"),
    ({"access": Access(assume_role="arn:x", role_policy="{")}, "access.role_policy"),
    ({"access": Access(assume_role="arn:x", role_policy={"Version": "x"})}, "access.role_policy"),
    ({"access": Access(assume_role="arn:x", role_policy_arns=["ReadOnly"])}, "access.role_policy_arns[0]"),
    ({"access": Access(assume_role="arn:x", role_transitive_tags=["a"])}, "access.role_transitive_tags[0]"),
    ({"access": Access(mfa_serial="arn:x")}, "access.mfa_serial"),
    ({"access": Access(mfa_code=KEY)}, "access.mfa_code"),
    ({"access": Access(external_id="x")}, "access.external_id"),
    ({"access": Access(endpoint_url="localhost:4566")}, "access.endpoint_url"),
    ({"access": Access(retry_mode="often")}, "access.retry_mode"),  # type: ignore[arg-type]
    ({"access": Access(max_attempts=0)}, "access.max_attempts"),
    ({"access": Access(wait_timeout=0)}, "access.wait_timeout"),
    ({"http_tokens": "maybe"}, "http_tokens"),
    ({"http_put_response_hop_limit": 0}, "http_put_response_hop_limit"),
    ({"http_put_response_hop_limit": 65}, "http_put_response_hop_limit"),
    ({"ssh_interface": "public"}, "ssh_interface"),
    ({"key_pair": "mine"}, "key_pair"),
    ({"spot_price": "0.1"}, "spot_price"),
    ({"spot": True, "spot_price": "cheap"}, "spot_price"),
    ({"spot_tags": {"a": "b"}}, "spot_tags"),
    ({"fleet_tags": {"a": "b"}}, "fleet_tags"),
    ({"spot": True, "fleet_tags": {"a": "b"}}, "fleet_tags"),
    ({"spot": True, "spot_allocation": "lowest-price", "fleet_tags": {"aws:x": "y"}}, "fleet_tags['aws:x']"),
    ({"spot_allocation": "lowest-price"}, "spot_allocation"),
    ({"spot": True, "spot_allocation": "diversified"}, "spot_allocation"),
    ({"spot": True, "spot_allocation": "lowest-price", "private_ip": "198.51.100.7"}, "private_ip"),
    ({"spot": True, "spot_tags": {"aws:x": "y"}}, "spot_tags['aws:x']"),
    ({"metadata_service": False, "instance_metadata_tags": True}, "instance_metadata_tags"),
    ({"security_group_ids": ["sg-1"], "security_group_filter": {"a": "b"}}, "security_group_filter"),
    ({"security_group_filter": {"a": "b"}, "ingress": ["198.51.100.0/24"]}, "ingress"),
    ({"communicator": pp.SSH(made_key="ecdsa")}, "communicator.made_key"),
    ({"spot": True, "ena_support": True}, "ena_support"),
    ({"spot": True, "sriov_support": True}, "sriov_support"),
    ({"spot": True, "tenancy": "host"}, "tenancy"),
    ({"spot": True, "capacity_reservation": "cr-1"}, "capacity_reservation"),
    ({"spot": True, "unlimited_credits": True}, "unlimited_credits"),
    ({"unlimited_credits": True, "instance_type": "m5.large"}, "unlimited_credits"),
    ({"capacity_reservation": "x"}, "capacity_reservation"),
    ({"capacity_reservation": "some"}, "capacity_reservation"),
    ({"tenancy": "shared"}, "tenancy"),
    ({"host_id": "h-1"}, "tenancy"),
    ({"host_id": "one", "tenancy": "host"}, "host_id"),
    ({"host_id": "h-1", "host_group": "arn:aws:x", "tenancy": "host"}, "host_group"),
    ({"host_group": "mine", "tenancy": "host"}, "host_group"),
    ({"enclave": True, "spot": True, "instance_type": "m5.xlarge"}, "enclave"),
    ({"enclave": True, "instance_type": "t3.xlarge"}, "enclave"),
    ({"encrypt": True, "kms_key": "my key"}, "kms_key"),
    ({"regions": ["eu-west-1"], "copy_kms_keys": {"eu-west-1": "my key"}}, "copy_kms_keys['eu-west-1']"),
    ({"disks": [Disk(device="/dev/a", encrypted=True, kms_key="my key")]}, "disks[0].kms_key"),
    ({"user_data": "x", "user_data_file": "/etc/hostname"}, "user_data_file"),
    ({"user_data_file": "/nowhere/at/all"}, "user_data_file"),
    ({"security_group_ids": ["web"]}, "security_group_ids[0]"),
    ({"security_group_ids": ["sg-1"], "ingress": ["198.51.100.0/24"]}, "ingress"),
    ({"ingress": ["198.51.100.0/33"]}, "ingress[0]"),
    ({"ingress": ["everybody"]}, "ingress[0]"),
    ({"subnet_id": "here"}, "subnet_id"),
    ({"subnet_id": "subnet-1", "subnet_filter": {"a": "b"}}, "subnet_filter"),
    ({"vpc_id": "here"}, "vpc_id"),
    ({"vpc_id": "vpc-1", "vpc_filter": {"a": "b"}}, "vpc_filter"),
    ({"private_ip": "here"}, "private_ip"),
    ({"shutdown_behavior": "sleep"}, "shutdown_behavior"),
    ({"kms_key": "alias/x"}, "kms_key"),
    ({"run_tags": {"aws:x": "y"}}, "run_tags['aws:x']"),
    ({"tags": {"packerpy:run": "y"}}, "tags['packerpy:run']"),
    ({"tags": {"": "y"}}, "tags['']"),
    ({"volume_tags": {"x": "y" * 257}}, "volume_tags['x']"),
    ({"tags": {str(n): "" for n in range(46)}}, "tags"),
    ({"users": ["me"]}, "users[0]"),
    ({"snapshot_users": ["1"]}, "snapshot_users[0]"),
    ({"groups": ["some"]}, "groups"),
    ({"organizations": ["o-1"]}, "organizations[0]"),
    ({"organizational_units": ["ou-1"]}, "organizational_units[0]"),
    ({"encrypt": True, "groups": ["all"]}, "groups"),
    ({"encrypt": True, "snapshot_groups": ["all"]}, "snapshot_groups"),
    ({"encrypt": True, "users": ["111111111111"]}, "users"),
    ({"encrypt_copies": True, "regions": ["eu-west-1"], "snapshot_users": ["111111111111"]}, "snapshot_users"),
    ({"encrypt": True, "organizations": ["arn:aws:x"]}, "organizations"),
    ({"encrypt": True, "organizational_units": ["arn:aws:x"]}, "organizational_units"),
    ({"encrypt": True, "kms_key": KMS, "regions": ["eu-west-1"], "users": ["111111111111"]}, "users"),
    (
        {
            "encrypt_copies": True,
            "regions": ["eu-west-1", "eu-north-1"],
            "copy_kms_keys": {"eu-west-1": KMS},
            "users": ["111111111111"],
        },
        "users",
    ),
    ({"copy_kms_keys": {"eu-west-1": "k"}}, "copy_kms_keys['eu-west-1']"),
    ({"regions": ["eu-west-1", "eu-west-1"]}, "regions"),
    ({"only_copies": True}, "only_copies"),
    ({"copy_minutes": 30}, "copy_minutes"),
    ({"regions": ["eu-west-1"], "copy_minutes": 20}, "copy_minutes"),
    ({"regions": ["us-east-1"]}, "regions"),
    ({"deprecate_at": "tomorrow"}, "deprecate_at"),
    ({"deprecate_at": "2030-01-01"}, "deprecate_at"),
    ({"deregistration_protection": "yes"}, "deregistration_protection"),
    ({"imds_support": "v1.0"}, "imds_support"),
    ({"force_delete_snapshot": True}, "force_delete_snapshot"),
    *FAST_LAUNCH,
    ({"disks": [Disk(device="")]}, "disks[0].device"),
    ({"disks": [Disk(device="/dev/a"), Disk(device="/dev/a")]}, "disks[1].device"),
    ({"disks": [Disk(device="/dev/a", size="big")]}, "disks[0].size"),
    ({"disks": [Disk(device="/dev/a", type="gp9")]}, "disks[0].type"),  # type: ignore[arg-type]
    ({"disks": [Disk(device="/dev/a", kms_key="k")]}, "disks[0].kms_key"),
    ({"disks": [Disk(device="/dev/a", iops=3000)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="gp2", iops=3000)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="io1", iops=50)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="io1", iops=5000, size="10 GiB")]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="gp3", iops=2000)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="gp3", iops=90000)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="io1", iops=65000)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="io2", iops=50)]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="io2", iops=12000, size="10 GiB")]}, "disks[0].iops"),
    ({"disks": [Disk(device="/dev/a", type="gp3", throughput=100)]}, "disks[0].throughput"),
    ({"disks": [Disk(device="/dev/a", type="gp2", throughput=200)]}, "disks[0].throughput"),
    ({"disks": [Disk(device="/dev/a", type="gp3", throughput=5000)]}, "disks[0].throughput"),
    ({"disks": [Disk(device="/dev/a", no_device=True, size="1 GiB")]}, "disks[0].no_device"),
    ({"disks": [Disk(device="/dev/a", virtual_name="ephemeral0", type="gp3")]}, "disks[0].virtual_name"),
    ({"image_disks": [Disk(device="")]}, "image_disks[0].device"),
    ({"ssh_interface": "session_manager"}, "ssh_interface"),
    ({"ssh_interface": "session_manager", "iam_instance_profile": "p", "communicator": pp.WinRM()}, "ssh_interface"),
    (
        {"ssh_interface": "session_manager", "iam_instance_profile": "p", "communicator": pp.SSH(host="h")},
        "ssh_interface",
    ),
    ({"temporary_policy": {"Statement": [1]}, "iam_instance_profile": "p"}, "temporary_policy"),
    ({"temporary_policy": "{"}, "temporary_policy"),
    ({"temporary_policy": {}}, "temporary_policy"),
    ({"password_timeout": 0}, "password_timeout"),
    ({"key_pair": "mine", "communicator": pp.WinRM()}, "key_pair"),
    ({"communicator": pp.WinRM(password="x")}, "communicator.user"),
    ({"layers": "disk", "communicator": pp.WinRM()}, "layers"),
    ({"layers": "live"}, "layers"),
    ({"layers": "disk", "disks": [Disk(device="/dev/a", virtual_name="ephemeral0")]}, "layers"),
    ({"layers_max_age": 0}, "layers_max_age"),
]

VOLUMES: list[tuple[dict[str, Any], str]] = [
    ({"volumes": []}, "volumes"),
    ({"source_ami": None}, "source_ami"),
    ({"instance_type": ()}, "instance_type"),
    ({"user": None}, "user"),
    ({"spot": True, "ena_support": True}, "ena_support"),
    ({"spot": True, "sriov_support": True}, "sriov_support"),
    ({"volumes": [Volume(device="")]}, "volumes[0].device"),
    ({"volumes": [Volume(device="/dev/a"), Volume(device="/dev/a")]}, "volumes[1].device"),
    ({"disks": [Disk(device="/dev/a")], "volumes": [Volume(device="/dev/a")]}, "volumes[0].device"),
    ({"volumes": [Volume(device="/dev/a", type="gp2", iops=3000)]}, "volumes[0].iops"),
    ({"volumes": [Volume(device="/dev/a", kms_key="k")]}, "volumes[0].kms_key"),
    ({"volumes": [Volume(device="/dev/a", no_device=True)]}, "volumes[0].no_device"),
    ({"volumes": [Volume(device="/dev/a", virtual_name="ephemeral0")]}, "volumes[0].virtual_name"),
    ({"volumes": [Volume(device="/dev/a", delete_on_termination=True)]}, "volumes[0].delete_on_termination"),
    ({"volumes": [Volume(device="/dev/a", snapshot_description="x")]}, "volumes[0].snapshot_description"),
    ({"volumes": [Volume(device="/dev/a", snapshot_tags={"a": "b"})]}, "volumes[0].snapshot_tags"),
    ({"volumes": [Volume(device="/dev/a", snapshot_users=["111111111111"])]}, "volumes[0].snapshot_users"),
    ({"volumes": [Volume(device="/dev/a", snapshot_groups=["all"])]}, "volumes[0].snapshot_groups"),
    ({"volumes": [Volume(device="/dev/a", snapshot=True, snapshot_users=["me"])]}, "volumes[0].snapshot_users[0]"),
    ({"volumes": [Volume(device="/dev/a", snapshot=True, snapshot_groups=["me"])]}, "volumes[0].snapshot_groups"),
    (
        {"volumes": [Volume(device="/dev/a", snapshot=True, snapshot_groups=["all"], encrypted=True)]},
        "volumes[0].snapshot_groups",
    ),
    (
        {"volumes": [Volume(device="/dev/a", snapshot=True, snapshot_users=["111111111111"], encrypted=True)]},
        "volumes[0].snapshot_users",
    ),
    ({"volumes": [Volume(device="/dev/a", tags={"aws:x": "y"})]}, "volumes[0].tags['aws:x']"),
]

SURROGATE: list[tuple[dict[str, Any], str]] = [
    *FAST_LAUNCH,
    ({"ami_name": "ab"}, "ami_name"),
    ({"source_ami": None}, "source_ami"),
    ({"regions": ["us-east-1"]}, "regions"),
    ({"root_source": ""}, "root_source"),
    ({"root_source": "/dev/xvdz"}, "root_source"),
    ({"disks": []}, "root_source"),
    ({"disks": [Disk(device="/dev/xvdf", virtual_name="ephemeral0")]}, "root_source"),
    ({"disks": [Disk(device="/dev/xvdf", no_device=True)]}, "root_source"),
    ({"leave_out": ["/dev/xvdf"]}, "root_source"),
    ({"leave_out": ["/dev/xvdz"]}, "leave_out[0]"),
    ({"root": Disk(device="")}, "root.device"),
    ({"root": Disk(device="/dev/xvda", type="gp9")}, "root.type"),  # type: ignore[arg-type]
    ({"root": Disk(device="/dev/xvda", type="io1", iops=50)}, "root.iops"),
    ({"root": Disk(device="/dev/xvda", type="gp2", throughput=200)}, "root.throughput"),
    ({"root": Disk(device="/dev/xvda", encrypted=True)}, "root.encrypted"),
    ({"root": Disk(device="/dev/xvda", snapshot_id="snap-1")}, "root.snapshot_id"),
    ({"root": Disk(device="/dev/xvda", no_device=True)}, "root.no_device"),
    ({"root": Disk(device="/dev/xvda", virtual_name="ephemeral0")}, "root.virtual_name"),
    ({"image_disks": [Disk(device="")]}, "image_disks[0].device"),
    ({"architecture": "sparc"}, "architecture"),
    ({"boot_mode": "bios"}, "boot_mode"),
    ({"tpm_support": "v2.0"}, "tpm_support"),
    ({"tpm_support": "v1.2", "boot_mode": "uefi"}, "tpm_support"),
    ({"uefi_data": "/nowhere"}, "uefi_data"),
    ({"uefi_data": "/etc/hostname", "boot_mode": "legacy-bios"}, "uefi_data"),
    ({"encrypt": True}, "encrypt"),
    ({"use_create_image": True, "architecture": "arm64"}, "architecture"),
    ({"use_create_image": True, "boot_mode": "uefi"}, "boot_mode"),
    ({"use_create_image": True, "boot_mode": "uefi", "tpm_support": "v2.0"}, "tpm_support"),
    ({"use_create_image": True, "uefi_data": "/etc/hostname"}, "uefi_data"),
    ({"use_create_image": True, "spot": True}, "use_create_image"),
    ({"use_create_image": True, "spot": True, "sriov_support": True}, "sriov_support"),
]

SCRATCH: dict[str, Any] = {
    "from_scratch": True,
    "source_ami": None,
    "root": Disk(device="/dev/xvda", size="1 GiB"),
    "pre_mount_commands": ["mkfs.ext4 $PACKERPY_DEVICE"],
}

CHROOT: list[tuple[dict[str, Any], str]] = [
    ({"ami_name": "ab"}, "ami_name"),
    ({"source_ami": None}, "source_ami"),
    ({"source_ami": "debian"}, "source_ami"),
    ({"access": Access(access_key=KEY)}, "access.secret_key"),
    ({**SCRATCH, "source_ami": "ami-1"}, "source_ami"),
    ({**SCRATCH, "root": None}, "root"),
    ({**SCRATCH, "root": Disk(device="/dev/xvda")}, "root.size"),
    ({**SCRATCH, "pre_mount_commands": []}, "pre_mount_commands"),
    ({"root": Disk(device="")}, "root.device"),
    ({"root": Disk(device="/dev/xvda", type="gp9")}, "root.type"),  # type: ignore[arg-type]
    ({"root": Disk(device="/dev/xvda", kms_key="k")}, "root.kms_key"),
    ({"root": Disk(device="/dev/xvda", snapshot_id="snap-1")}, "root.snapshot_id"),
    ({"root": Disk(device="/dev/xvda", virtual_name="ephemeral0")}, "root.virtual_name"),
    ({"root": Disk(device="/dev/xvda", no_device=True)}, "root.no_device"),
    ({"root": Disk(device="/dev/xvda"), "image_disks": [Disk(device="/dev/xvda")]}, "image_disks"),
    ({"root": Disk(device="/dev/xvda", encrypted=True), "groups": ["all"]}, "groups"),
    ({"root": Disk(device="/dev/xvda", encrypted=True), "users": ["111111111111"]}, "users"),
    ({"image_disks": [Disk(device="")]}, "image_disks[0].device"),
    ({"mounts": [("bind", "/srv")]}, "mounts[0]"),
    ({"mounts": [("bind", "/srv", "srv")]}, "mounts[0]"),
    ({"mounts": [("bind", "", "/srv")]}, "mounts[0]"),
    ({"copy_files": ["etc/hosts"]}, "copy_files[0]"),
    ({"node": "nvme1n1"}, "node"),
    ({"mount_path": "mnt"}, "mount_path"),
    ({"attach_as": "sdf"}, "attach_as"),
    ({"mount_partition": -1}, "mount_partition"),
    ({"mount_command": "mount x y", "mount_options": ["ro"]}, "mount_options"),
    ({"unmount_command": "vgchange -an vg"}, "unmount_command"),
    ({"command_wrapper": ["nice -n 10"]}, "command_wrapper"),
    ({"command_wrapper": [""]}, "command_wrapper"),
    ({"volume_tags": {"aws:x": "y"}}, "volume_tags['aws:x']"),
    ({"copy_kms_keys": {"eu-west-1": "k"}}, "copy_kms_keys['eu-west-1']"),
    ({"architecture": "sparc"}, "architecture"),
    ({"boot_mode": "bios"}, "boot_mode"),
    ({"tpm_support": "v2.0"}, "tpm_support"),
    ({"uefi_data": "/nowhere"}, "uefi_data"),
    ({"deprecate_at": "tomorrow"}, "deprecate_at"),
    ({"force_delete_snapshot": True}, "force_delete_snapshot"),
]

X509: dict[str, Any] = {
    "account_id": "123456789012",
    "bucket": "images",
    "x509_cert": "/etc/hostname",
    "x509_key": "/etc/hostname",
}

INSTANCE: list[tuple[dict[str, Any], str]] = [
    ({"ami_name": "ab"}, "ami_name"),
    ({"source_ami": None}, "source_ami"),
    ({"instance_type": ()}, "instance_type"),
    ({"user": None}, "user"),
    ({"account_id": ""}, "account_id"),
    ({"account_id": "1234"}, "account_id"),
    ({"bucket": ""}, "bucket"),
    ({"bucket": "/"}, "bucket"),
    ({"x509_cert": "/nowhere/cert.pem"}, "x509_cert"),
    ({"x509_key": "/nowhere/key.pem"}, "x509_key"),
    ({"x509_folder": "tmp"}, "x509_folder"),
    ({"bundle_folder": "tmp"}, "bundle_folder"),
    ({"bundle_prefix": "a/b"}, "bundle_prefix"),
    ({"bundle_command": " "}, "bundle_command"),
    ({"upload_command": ""}, "upload_command"),
    ({"image_disks": [Disk(device="")]}, "image_disks[0].device"),
    ({"architecture": "sparc"}, "architecture"),
    ({"uefi_data": "/nowhere"}, "uefi_data"),
    ({"encrypt": True}, "encrypt"),
    ({"encrypt_copies": True}, "encrypt_copies"),
    ({"regions": ["eu-west-1"], "copy_kms_keys": {"eu-west-1": KMS}}, "copy_kms_keys"),
    ({"communicator": NoCommunicator()}, "communicator"),
    ({"regions": ["us-east-1"]}, "regions"),
]

DIRECT: list[tuple[dict[str, Any], str]] = [
    ({"regions": ()}, "regions"),
    ({"regions": ["a", "a"]}, "regions"),
    ({"ami_name": "x"}, "ami_name"),
    ({"architecture": "sparc"}, "architecture"),
    ({"boot_mode": "bios"}, "boot_mode"),
    ({"tpm_support": "v2.0"}, "tpm_support"),
    ({"tpm_support": "v1.2", "boot_mode": "uefi"}, "tpm_support"),
    ({"uefi_data": "/nowhere"}, "uefi_data"),
    ({"uefi_data": "/etc/hostname", "boot_mode": "legacy-bios"}, "uefi_data"),
    ({"workers": 0}, "workers"),
    ({"workers": 65}, "workers"),
    ({"volume_size": "big"}, "volume_size"),
    ({"volume_type": "fast"}, "volume_type"),
    ({"kms_keys": {"eu-west-1": "k"}}, "kms_keys"),
    ({"kms_keys": {"eu-north-1": "k"}, "encrypted": True}, "kms_keys['eu-north-1']"),
    ({"kms_keys": {"eu-west-1": "alias/x"}, "encrypted": True}, "kms_keys['eu-west-1']"),
    ({"parents": {"eu-north-1": "snap-1"}}, "parents['eu-north-1']"),
    ({"encrypted": True, "groups": ["all"]}, "groups"),
    ({"encrypted": True, "users": ["111111111111"]}, "users"),
]


@pytest.mark.parametrize(("change", "where"), EBS, ids=lambda value: str(value)[:60])
def test_ebs(change: dict[str, Any], where: str) -> None:
    """The field is named, and what to write instead is said or plain."""
    problems = tuple(pp.amazon.EBS(**{**GOOD, **change}).check())
    assert where in [problem.where for problem in problems], problems
    assert all(problem.fix or problem.seen for problem in problems)


@pytest.mark.parametrize(("change", "where"), VOLUMES, ids=lambda value: str(value)[:60])
def test_volumes(change: dict[str, Any], where: str) -> None:
    """Likewise."""
    good = {name: value for name, value in GOOD.items() if name != "ami_name"}
    spec = pp.amazon.EBSVolumes(**{**good, "volumes": [Volume(device="/dev/xvdf", size="1 GiB")], **change})
    problems = tuple(spec.check())
    assert where in [problem.where for problem in problems], problems
    assert all(problem.fix or problem.seen for problem in problems)


@pytest.mark.parametrize(("change", "where"), SURROGATE, ids=lambda value: str(value)[:60])
def test_surrogate(change: dict[str, Any], where: str) -> None:
    """Likewise."""
    problems = tuple(pp.amazon.EBSSurrogate(**{**GOOD, **ROOT, **change}).check())
    assert where in [problem.where for problem in problems], problems
    assert all(problem.fix or problem.seen for problem in problems)


@pytest.mark.parametrize(("change", "where"), CHROOT, ids=lambda value: str(value)[:60])
def test_chroot(change: dict[str, Any], where: str) -> None:
    """Likewise."""
    problems = tuple(pp.amazon.Chroot(**{"ami_name": "web", "source_ami": "ami-1", **change}).check())
    assert where in [problem.where for problem in problems], problems
    assert all(problem.fix or problem.seen for problem in problems)


@pytest.mark.parametrize(("change", "where"), INSTANCE, ids=lambda value: str(value)[:60])
def test_instance(change: dict[str, Any], where: str) -> None:
    """Likewise."""
    problems = tuple(pp.amazon.Instance(**{**GOOD, **X509, **change}).check())
    assert where in [problem.where for problem in problems], problems
    assert all(problem.fix or problem.seen for problem in problems)


@pytest.mark.parametrize(("change", "where"), DIRECT, ids=lambda value: str(value)[:60])
def test_direct(change: dict[str, Any], where: str) -> None:
    """Likewise."""
    spec = pp.amazon.DirectAMI(**{"ami_name": "web", "regions": ["eu-west-1"], **change})
    assert where in [problem.where for problem in spec.check()]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.amazon.FindAMI(owners=(), ami_name="x"), "owners"),
        (pp.amazon.FindAMI(owners="self"), "ami_name"),
        (pp.amazon.Parameter(path=""), "path"),
        (pp.amazon.Parameter(path="a b"), "path"),
        (pp.amazon.SecretsManager(id=""), "id"),
    ],
)
def test_data(spec: Any, where: str) -> None:
    """Data sources too."""
    assert [problem.where for problem in spec.check()] == [where]


def test_good_declarations(tmp_path: Path) -> None:
    """What is right is not complained of; a declaration without SSH needs no user."""
    assert tuple(pp.amazon.EBS(**GOOD).check()) == ()
    assert tuple(pp.amazon.EBS(**{**GOOD, "user": None, "communicator": NoCommunicator()}).check()) == ()
    disk = Disk(device="/dev/xvda", size="20 GiB", type="gp3", iops=4000, throughput=300, encrypted=True, kms_key=KMS)
    full = {**GOOD, "disks": [disk], "spot": True, "instance_type": ["t3.micro", "t3.small"], "spot_price": "0.02"}
    assert tuple(pp.amazon.EBS(**full).check()) == ()
    for key in (KMS, KMS.rpartition("/")[2], "alias/build"):
        assert tuple(pp.amazon.EBS(**GOOD, encrypt=True, kms_key=key).check()) == ()
    everywhere = {"regions": ["eu-west-1"], "copy_kms_keys": {"eu-west-1": KMS}, "users": ["111111111111"]}
    assert tuple(pp.amazon.EBS(**GOOD, **everywhere, encrypt=True, kms_key=KMS).check()) == ()
    prepared = FastLaunch(count=6, max_parallel=6, templates={"us-east-1": Template(id="lt-1", version=3)})
    assert tuple(pp.amazon.EBS(**GOOD, fast_launch=prepared).check()) == ()
    assert pp.amazon.EBS(**GOOD, fast_launch=True).fast_launch == FastLaunch()
    assert pp.amazon.EBS(**GOOD, fast_launch=False).fast_launch is None
    for reservation in ("cr-1", "open", "none", "arn:aws:resource-groups:eu-west-1:111111111111:group/mine"):
        assert tuple(pp.amazon.EBS(**GOOD, capacity_reservation=reservation).check()) == ()
    keyed = pp.amazon.DirectAMI(ami_name="web", regions=["eu-west-1"], encrypted=True, kms_keys={"eu-west-1": KMS})
    assert tuple(keyed.check()) == ()
    machine = {name: value for name, value in GOOD.items() if name != "ami_name"}
    assert tuple(pp.amazon.EBSVolumes(**machine, volumes=[Volume(device="/dev/xvdf", size="1 GiB")]).check()) == ()
    assert tuple(pp.amazon.EBSSurrogate(**GOOD, **ROOT).check()) == ()
    assert tuple(pp.amazon.Chroot(ami_name="web", source_ami="ami-1").check()) == ()
    assert tuple(pp.amazon.Chroot(ami_name="web", **SCRATCH).check()) == ()
    assert tuple(pp.amazon.Instance(**GOOD, **X509).check()) == ()
    assert tuple(pp.amazon.DirectAMI(ami_name="web", regions=["eu-west-1"]).check()) == ()
