"""Volumes, and snapshots of them, from an instance."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.none import NoCommunicator
from packerpy.testing import RecordingChannel, TestRun, make_run
from packerpy.values import Artifact
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.communicators.ssh.sshd_server import Sshd

Volume = pp.amazon.Volume

VOLUMES = [
    Volume(device="/dev/xvdf", size="1 GiB", tags={"role": "data"}),
    Volume(device="/dev/xvdg", size="2 GiB", snapshot=True, snapshot_tags={"kind": "snap"}),
    Volume(
        device="/dev/xvdh",
        size="1 GiB",
        delete_on_termination=True,
        snapshot=True,
        snapshot_description="only this",
        snapshot_users=["111111111111"],
    ),
]


def declared(moto: Moto, **more: Any) -> pp.amazon.EBSVolumes:
    """A declaration that needs no SSH."""
    values: dict[str, Any] = {
        "source_ami": moto.ami,
        "instance_type": "t3.micro",
        "region": "us-east-1",
        "access": moto.access(),
        "communicator": NoCommunicator(),
        "volumes": VOLUMES,
    }
    return pp.amazon.EBSVolumes(**{**values, **more})


def remove(moto: Moto, artifact: object) -> None:
    """What the build leaves on purpose."""
    assert isinstance(artifact, Artifact)
    ec2 = moto.client("ec2")
    for name, thing in artifact.outputs.items():
        if name.startswith("volume:"):
            (volume,) = ec2.describe_volumes(VolumeIds=[thing])["Volumes"]
            for held in volume["Attachments"]:  # by an instance that could not be ended
                ec2.detach_volume(VolumeId=thing, InstanceId=held["InstanceId"])
            ec2.delete_volume(VolumeId=thing)
        else:
            ec2.delete_snapshot(SnapshotId=thing)


def test_whole_build(moto: Moto, sshd: Sshd, tmp_path: Path, nothing_left: None) -> None:
    """The steps ran; volumes and snapshots are left with their tags, free of an instance, and nothing else is."""
    source = declared(
        moto,
        user=pwd.getpwuid(os.getuid()).pw_name,
        communicator=pp.SSH(host="127.0.0.1", port=sshd.port),
        ingress=["198.51.100.7/32"],
        volume_tags={"all": "of them"},
    )
    image = pp.Image("data", source=source, provision=[pp.Shell(f"echo done > {tmp_path}/provisioned")])
    result = pp.build(image, output=tmp_path / "output")
    assert (tmp_path / "provisioned").read_text() == "done\n"
    (artifact,) = result.artifacts["data"]
    assert artifact.kind == "volumes"
    assert set(artifact.outputs) == {
        "volume:us-east-1:/dev/xvdf",
        "volume:us-east-1:/dev/xvdg",
        "snapshot:us-east-1:/dev/xvdg",
        "snapshot:us-east-1:/dev/xvdh",
    }
    ec2 = moto.client("ec2")
    (volume,) = ec2.describe_volumes(VolumeIds=[artifact.outputs["volume:us-east-1:/dev/xvdf"]])["Volumes"]
    tags = {tag["Key"]: tag["Value"] for tag in volume["Tags"]}
    assert (volume["State"], volume["Attachments"]) == ("available", [])
    assert (tags["role"], tags["all"], tags["packerpy:run"]) == ("data", "of them", result.run)
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[artifact.outputs["snapshot:us-east-1:/dev/xvdg"]])["Snapshots"]
    assert snapshot["VolumeId"] == artifact.outputs["volume:us-east-1:/dev/xvdg"]
    assert {"Key": "kind", "Value": "snap"} in snapshot["Tags"]
    other = artifact.outputs["snapshot:us-east-1:/dev/xvdh"]
    shared = ec2.describe_snapshot_attribute(SnapshotId=other, Attribute="createVolumePermission")
    assert shared["CreateVolumePermissions"] == [{"UserId": "111111111111"}]
    (told,) = ec2.describe_snapshots(SnapshotIds=[other])["Snapshots"]
    assert told["Description"] == "only this"
    remove(moto, artifact)


def test_a_volume_is_gone(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """A step detached a volume: said with the names of those that are there."""
    run = make_run(tmp_path)
    source = declared(moto).load()
    machine = source.boot(run)
    from packerpy.backends.amazon.snapshots import volumes_of

    moto.client("ec2").detach_volume(
        VolumeId=volumes_of(source.at(run), machine.id)["/dev/xvdg"], InstanceId=machine.id
    )
    with pytest.raises(pp.BuildError, match=r"has no volume /dev/xvdg\nit has: /dev/xvdf, /dev/xvdh"):
        source.capture(run, machine, RecordingChannel())
    assert run.close(failed=True) == ()


def test_every_request(moto: Moto, faults: Faults, tmp_path: Path) -> None:
    """What comes after the instance has stopped, refused and killed after in turn."""

    def work(run: TestRun) -> Artifact:
        source = declared(moto).load()
        return source.capture(run, source.boot(run), RecordingChannel())

    hit = through_all_faults(moto, faults, tmp_path, work, lambda made: remove(moto, made), behind="ec2.StopInstances")
    assert {"ec2.CreateSnapshot", "ec2.ModifySnapshotAttribute", "ec2.CreateTags"} <= set(hit["kill"])
    assert hit["refuse"] == hit["kill"]
