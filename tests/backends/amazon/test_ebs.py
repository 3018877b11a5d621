"""An EBS build from declaration to image, and the errors that are known before anything is made."""

from __future__ import annotations

import base64
import functools
import http.server
import itertools
import os
import pwd
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import packerpy as pp
from packerpy.backends.amazon.errors import NoCapacity, NoCredentials
from packerpy.communicators.none import NoCommunicator
from packerpy.testing import RecordingChannel, make_run
from packerpy.values import Artifact
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults
from tests.communicators.ssh.sshd_server import Sshd

_NUMBERS = itertools.count()


def ebs(moto: Moto, **more: Any) -> pp.amazon.EBS:
    """A declaration that needs no SSH."""
    values: dict[str, Any] = {
        "ami_name": f"image {next(_NUMBERS)}",
        "source_ami": moto.ami,
        "instance_type": "t3.micro",
        "region": "us-east-1",
        "access": moto.access(),
        "communicator": NoCommunicator(),
    }
    return pp.amazon.EBS(**{**values, **more})


def remove_images(moto: Moto, artifact: object) -> None:
    """What the build leaves on purpose, taken away by the tests' own client."""
    assert isinstance(artifact, Artifact)
    for name, image in artifact.outputs.items():
        ec2 = moto.client("ec2", name.removeprefix("ami:"))
        (made,) = ec2.describe_images(ImageIds=[image])["Images"]
        ec2.deregister_image(ImageId=image)
        for mapping in made["BlockDeviceMappings"]:
            ec2.delete_snapshot(SnapshotId=mapping["Ebs"]["SnapshotId"])


def test_whole_build(moto: Moto, sshd: Sshd, tmp_path: Path) -> None:
    """Boot, login with the temporary key, provision, stop, image, copy, tags, sharing; then only the images are left."""
    before = moto.inventory()
    user = pwd.getpwuid(os.getuid()).pw_name
    source = ebs(
        moto,
        ami_name="whole build",
        user=user,
        communicator=pp.SSH(host="127.0.0.1", port=sshd.port),
        ingress=["198.51.100.7/32"],
        regions=["eu-west-1"],
        tags={"role": "web"},
        snapshot_tags={"kind": "snap"},
        users=["111111111111"],
        snapshot_users=["222222222222"],
        imds_support="v2.0",
        deprecate_at="2030-01-01T00:00:00Z",
        deregistration_protection=True,
        encrypt=True,
        kms_key="alias/build",
        copy_kms_keys={"eu-west-1": "alias/build"},
        disks=[pp.amazon.Disk(device="/dev/xvdb", size="2 GiB", type="gp3")],
        user_data="#!/bin/sh\ntrue\n",
    )
    image = pp.Image("web", source=source, provision=[pp.Shell(f"echo done > {tmp_path}/provisioned")])
    result = pp.build(image, output=tmp_path / "output")
    assert (tmp_path / "provisioned").read_text() == "done\n"
    (artifact,) = result.artifacts["web"]
    assert artifact.kind == "ami"
    assert set(artifact.outputs) == {"ami:us-east-1", "ami:eu-west-1"}
    assert artifact.facts["source_ami"] == moto.ami
    for region in ("us-east-1", "eu-west-1"):
        ec2 = moto.client("ec2", region)
        (made,) = ec2.describe_images(ImageIds=[artifact.outputs[f"ami:{region}"]])["Images"]
        tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
        assert made["Name"] == "whole build"
        assert tags["role"] == "web"
        assert tags["packerpy:run"] == result.run
        assert tags["simulated:enable_image_deprecation"].startswith("2030-01-01")
        launch = ec2.describe_image_attribute(ImageId=made["ImageId"], Attribute="launchPermission")
        assert launch["LaunchPermissions"] == [{"UserId": "111111111111"}]
        snapshot = made["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        (found,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        assert tags["kind"] == "snap"
        ec2.deregister_image(ImageId=made["ImageId"])
        ec2.delete_snapshot(SnapshotId=snapshot)
    assert moto.inventory() == before


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"region": "us-esat-1"}, "there is no such region"),
        ({"regions": ["eu-wset-1"]}, "there is no such region"),
        ({"source_ami": "ami-12345678"}, "InvalidAMIID|does not exist"),
        ({"instance_type": "t99.micro"}, "do not exist"),
        ({"instance_type": "t4g.micro"}, "another architecture"),
        ({"subnet_id": "subnet-12345678"}, "subnet-12345678' does not exist"),
        ({"vpc_filter": {"tag:Name": "none"}}, "no VPC in us-east-1 matches"),
        ({"security_group_ids": ["sg-12345678"]}, "sg-12345678"),
        ({"security_group_filter": {"tag:Name": "none"}}, "no security group in us-east-1 matches tag:Name=none"),
        ({"key_pair": "none"}, "none.* does not exist"),
        ({"iam_instance_profile": "none"}, "none not found"),
        ({"ami_name": "debian-base"}, "there is an image of this name in us-east-1"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_preflight(moto: Moto, tmp_path: Path, change: dict[str, Any], what: str, nothing_left: None) -> None:
    """Known before anything is made, in one sentence."""
    if "key_pair" in change:
        change = {**change, "communicator": pp.SSH(password="x", user="admin")}
    with pytest.raises(pp.ValidationError, match=what) as caught:
        pp.build(pp.Image("web", source=ebs(moto, **change)), output=tmp_path / "output")
    assert len(caught.value.problems) == 1


def test_without_credentials(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_left: None) -> None:
    """Neither keys nor a profile: one error before anything is made, which says how to log in."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(NoCredentials, match="aws sso login"):
        pp.build(pp.Image("web", source=ebs(moto)), output=tmp_path / "output")


def test_where_it_runs(moto: Moto, tmp_path: Path, faults: Faults) -> None:
    """Hosts, reservations and enclaves are asked for as EC2 wants them."""
    sent: list[str] = []
    faults.refusals["ec2.RunInstances"] = "InsufficientHostCapacity"
    faults.reset("refuse", -1)
    faults.look = lambda request: sent.append(str(request.body))
    spec = ebs(
        moto, instance_type="m5.xlarge", enclave=True, tenancy="host", host_id="h-1", capacity_reservation="open"
    )
    run = make_run(tmp_path)
    with pytest.raises(NoCapacity):
        spec.load().boot(run)
    assert run.close(failed=True) == ()
    (asked,) = [body for body in sent if "Action=RunInstances" in body]
    for part in ("EnclaveOptions.Enabled=true", "Placement.HostId=h-1", "CapacityReservationPreference=open"):
        assert part in asked


def test_image_fails(moto: Moto, tmp_path: Path, nothing_left: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that comes out failed is an error with Amazon's reason, and is removed again."""
    from packerpy.backends.amazon import api

    look = api.Cloud._look

    def failed(self: Any, operation: str, acceptors: Any, parameters: Any) -> Any:
        answer, state = look(self, operation, acceptors, parameters)
        if operation == "ec2.DescribeImages":
            answer["Images"][0] |= {"State": "failed", "StateReason": {"Message": "the disk was on fire"}}
            state = next((one.state for one in acceptors if one.matcher_func(answer)), None)
        return answer, state

    monkeypatch.setattr(api.Cloud, "_look", failed)
    with pytest.raises(pp.BuildError, match="is failed, and will not be available") as caught:
        pp.build(pp.Image("web", source=ebs(moto)), output=tmp_path / "output")
    assert "the disk was on fire" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "advice"), [("VcpuLimitExceeded", "Service Quotas"), ("InsufficientInstanceCapacity", "try again later")]
)
def test_quota(moto: Moto, tmp_path: Path, nothing_left: None, faults: Faults, code: str, advice: str) -> None:
    """No more machines for this account, or none left at all: known only when asked for one; nothing is left."""
    faults.reset("refuse", -1)
    faults.refusals["ec2.RunInstances"] = code
    with pytest.raises(pp.BuildError, match=advice):
        pp.build(pp.Image("web", source=ebs(moto)), output=tmp_path / "output")


def test_spot_tries_the_next_type(moto: Moto, tmp_path: Path, nothing_left: None, faults: Faults) -> None:
    """Every type is tried, and the error says how each went."""
    faults.reset("refuse", -1)
    faults.refusals["ec2.RunInstances"] = "InsufficientInstanceCapacity"
    source = ebs(moto, spot=True, instance_type=["t3.micro", "t3.small"])
    with pytest.raises(pp.BuildError, match=r"no spot capacity of t3.micro, t3.small"):
        pp.build(pp.Image("web", source=source), output=tmp_path / "output")
    assert faults.seen.count("ec2.RunInstances") == 2


def test_spot(moto: Moto, tmp_path: Path, faults: Faults) -> None:
    """An instance on spare capacity; the request for it has tags of its own, and ours."""
    run = make_run(tmp_path)
    sent: list[str] = []
    faults.look = lambda request: sent.append(unquote(str(request.body)))
    machine = ebs(moto, spot=True, spot_price="0.01", spot_tags={"cost center": "7"}).load().boot(run)
    (asked,) = [body for body in sent if "Action=RunInstances" in body]
    (number,) = re.findall(r"TagSpecification\.(\d)\.ResourceType=spot-instances-request", asked)
    assert re.search(rf"TagSpecification\.{number}\.Tag\.\d\.Key=cost\+center", asked)
    assert re.search(rf"TagSpecification\.{number}\.Tag\.\d\.Key=packerpy:token", asked)
    (told,) = moto.client("ec2").describe_instances(InstanceIds=[machine.id])["Reservations"]
    assert told["Instances"][0]["InstanceLifecycle"] == "spot"
    assert run.close(failed=True) == ()


def test_groups_by_filter(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """All groups of the VPC that match are used, and none is made; there may be no metadata service."""
    ec2 = moto.client("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    names = ("one", "two", "other")
    ids = [ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc["VpcId"])["GroupId"] for name in names]
    ec2.create_tags(Resources=ids[:2], Tags=[{"Key": "for", "Value": "builds"}])
    run = make_run(tmp_path)
    source = ebs(moto, security_group_filter={"tag:for": "builds"}, metadata_service=False).load()
    assert tuple(source.preflight(run)) == ()
    machine = source.boot(run)
    (instance,) = ec2.describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"]
    assert {group["GroupId"] for group in instance["SecurityGroups"]} == set(ids[:2])
    assert instance["MetadataOptions"]["HttpEndpoint"] == "disabled"
    assert run.close(failed=True) == ()
    for identity in ids:
        ec2.delete_security_group(GroupId=identity)


def test_product_codes(moto: Moto, tmp_path: Path, faults: Faults, nothing_left: None) -> None:
    """They are put on the image."""
    run = make_run(tmp_path)
    sent: list[str] = []
    faults.look = lambda request: sent.append(str(request.body))
    source = ebs(moto, product_codes=["code1", "code2"]).load()
    artifact = source.capture(run, source.boot(run), RecordingChannel())
    assert run.close(failed=False) == ()
    (asked,) = [body for body in sent if "Action=ModifyImageAttribute" in body]
    assert "ProductCode.1=code1&ProductCode.2=code2" in asked
    remove_images(moto, artifact)


def test_only_copies(moto: Moto, tmp_path: Path, faults: Faults, nothing_left: None) -> None:
    """The image in the build's own region is gone at the end, and its snapshots are; the copies had a time limit."""
    run = make_run(tmp_path)
    sent: list[str] = []
    faults.look = lambda request: sent.append(str(request.body))
    source = ebs(moto, regions=["eu-west-1"], only_copies=True, copy_minutes=30).load()
    artifact = source.capture(run, source.boot(run), RecordingChannel())
    assert run.close(failed=False) == ()
    assert set(artifact.outputs) == {"ami:eu-west-1"}
    (asked,) = [body for body in sent if "Action=CopyImage" in body]
    assert "SnapshotCopyCompletionDurationMinutes=30" in asked
    tested = source.spec.for_test(artifact)
    assert (tested.region, tested.source_ami) == ("eu-west-1", artifact.outputs["ami:eu-west-1"])
    remove_images(moto, artifact)


@pytest.mark.parametrize("spot", [True, False])
def test_stopping(moto: Moto, tmp_path: Path, faults: Faults, spot: bool, nothing_left: None) -> None:
    """A spot instance is never stopped, which would end it: it is imaged as it runs; any other is stopped first."""
    run = make_run(tmp_path)
    source = ebs(moto, spot=spot).load()
    machine = source.boot(run)
    faults.reset("none", -1)
    artifact = source.capture(run, machine, RecordingChannel())
    assert ("ec2.StopInstances" in faults.seen) is not spot
    state = moto.client("ec2").describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"][0]["State"]
    assert state["Name"] == ("running" if spot else "stopped")
    assert run.close(failed=False) == ()
    remove_images(moto, artifact)


def test_what_is_asked_for(moto: Moto, tmp_path: Path, nothing_left: None, sshd: Sshd) -> None:
    """The private address and only this host's own address in the group; version 2 of the metadata service; the run's mark on all."""
    run = make_run(tmp_path)
    source = ebs(
        moto, communicator=None, user="admin", private_ip="127.0.0.4", ssh_interface="private_ip", user_data="#!/bin/sh"
    )
    machine = source.load().boot(run)
    assert machine.endpoint.host == "127.0.0.4"
    ec2 = moto.client("ec2")
    (instance,) = ec2.describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"]
    assert {"Key": "packerpy:run", "Value": run.id} in instance["Tags"]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    (group,) = ec2.describe_security_groups(GroupIds=[instance["SecurityGroups"][0]["GroupId"]])["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (22, 22)
    assert [one["CidrIp"].rpartition("/")[2] for one in rule["IpRanges"]] == ["32"]
    data = ec2.describe_instance_attribute(InstanceId=machine.id, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(data) == b"#!/bin/sh"
    journal = "".join(entry.fields for entry in run.journal.entries())
    assert "/bin/sh" not in journal
    assert "PRIVATE KEY" not in journal
    assert run.close(failed=True) == ()


def test_the_address_this_host_is_seen_from(moto: Moto, tmp_path: Path) -> None:
    """Where the instance has a public address, a service is asked for ours; when it does not answer, ingress= is the advice."""
    from packerpy.backends.amazon.network import Network, ingress

    network = Network(vpc_id="vpc-1", subnet_id=None, cidrs=("198.51.100.0/24",))
    (tmp_path / "address").write_text("203.0.113.9\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert ingress(ebs(moto, caller_address_url=f"{url}/address"), network) == ("203.0.113.9/32",)
        with pytest.raises(pp.BuildError, match="ingress="):
            ingress(ebs(moto, caller_address_url=f"{url}/none"), network)
        server.shutdown()
