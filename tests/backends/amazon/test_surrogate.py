"""An image whose root was filled on an instance that started from another."""

from __future__ import annotations

import itertools
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
from tests.backends.amazon.test_ebs import remove_images
from tests.communicators.ssh.sshd_server import Sshd

Disk = pp.amazon.Disk
_NUMBERS = itertools.count()
DISKS = [
    Disk(device="/dev/xvdf", size="2 GiB", type="gp3", encrypted=True),
    Disk(device="/dev/xvdg", size="1 GiB"),
    Disk(device="/dev/xvdh", size="3 GiB", type="gp2"),
]


def declared(moto: Moto, **more: Any) -> pp.amazon.EBSSurrogate:
    """A declaration that needs no SSH."""
    values: dict[str, Any] = {
        "ami_name": f"surrogate {next(_NUMBERS)}",
        "source_ami": moto.ami,
        "instance_type": "t3.micro",
        "region": "us-east-1",
        "access": moto.access(),
        "communicator": NoCommunicator(),
        "disks": DISKS,
        "root_source": "/dev/xvdf",
        "leave_out": ["/dev/xvdg"],
    }
    return pp.amazon.EBSSurrogate(**{**values, **more})


def test_whole_build(moto: Moto, sshd: Sshd, tmp_path: Path, nothing_left: None) -> None:
    """The filled volume's snapshot is the image's root; one disk is left out, one comes along; nothing else is left."""
    source = declared(
        moto,
        user=pwd.getpwuid(os.getuid()).pw_name,
        communicator=pp.SSH(host="127.0.0.1", port=sshd.port),
        ingress=["198.51.100.7/32"],
        root=Disk(device="/dev/sda1", size="8 GiB", type="io1", iops=200),
        boot_mode="uefi",
        tpm_support="v2.0",
        imds_support="v2.0",
        regions=["eu-west-1"],
        tags={"role": "web"},
        snapshot_users=["111111111111"],
    )
    image = pp.Image("web", source=source, provision=[pp.Shell(f"echo done > {tmp_path}/provisioned")])
    result = pp.build(image, output=tmp_path / "output")
    assert (tmp_path / "provisioned").read_text() == "done\n"
    (artifact,) = result.artifacts["web"]
    assert set(artifact.outputs) == {"ami:us-east-1", "ami:eu-west-1"}
    (made,) = moto.client("ec2").describe_images(ImageIds=[artifact.outputs["ami:us-east-1"]])["Images"]
    assert (made["RootDeviceName"], made["BootMode"], made["Architecture"]) == ("/dev/sda1", "uefi", "x86_64")
    disks = {one["DeviceName"]: one["Ebs"] for one in made["BlockDeviceMappings"]}
    assert set(disks) == {"/dev/sda1", "/dev/xvdh"}
    assert disks["/dev/sda1"]["SnapshotId"] == artifact.facts["snapshot:us-east-1"]
    assert (disks["/dev/sda1"]["VolumeType"], int(disks["/dev/sda1"]["VolumeSize"])) == ("io1", 8)
    (snapshot,) = moto.client("ec2").describe_snapshots(SnapshotIds=[disks["/dev/sda1"]["SnapshotId"]])["Snapshots"]
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}
    assert (snapshot["VolumeSize"], tags["role"], tags["packerpy:run"]) == (2, "web", result.run)
    remove_images(moto, artifact)


def test_exchanged_root(moto: Moto, faults: Faults, tmp_path: Path, nothing_left: None) -> None:
    """By use_create_image the filled volume stands in the root's place when the instance is imaged."""
    spec = declared(moto, disks=[*DISKS, Disk(device="/dev/xvda", size="1 GiB")], use_create_image=True)
    source = spec.load()
    run = make_run(tmp_path)
    machine = source.boot(run)
    from packerpy.backends.amazon.snapshots import volumes_of

    before = volumes_of(source.at(run), machine.id)
    faults.reset("none", -1)
    artifact = source.capture(run, machine, RecordingChannel())
    after = volumes_of(source.at(run), machine.id)
    assert after["/dev/xvda"] == before["/dev/xvdf"]
    assert before["/dev/xvda"] not in after.values()
    assert faults.seen.index("ec2.AttachVolume") < faults.seen.index("ec2.CreateImage")
    assert run.close(failed=False) == ()
    remove_images(moto, artifact)


def test_only_copies(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """Neither the registered image nor the snapshots that it was made of stay in the build's own region."""
    source = declared(moto, regions=["eu-west-1"], only_copies=True).load()
    run = make_run(tmp_path)
    artifact = source.capture(run, source.boot(run), RecordingChannel())
    assert run.close(failed=False) == ()
    assert set(artifact.outputs) == {"ami:eu-west-1"}
    assert not [name for name in artifact.facts if name.startswith("snapshot:")]
    remove_images(moto, artifact)


@pytest.mark.parametrize("road", ["register", "create"])
def test_every_request(moto: Moto, faults: Faults, tmp_path: Path, road: str) -> None:
    """What comes after the instance has stopped, refused and killed after in turn."""
    more: dict[str, Any] = {}
    if road == "create":
        more = {"use_create_image": True, "disks": [*DISKS, Disk(device="/dev/xvda", size="1 GiB")]}
    spec = declared(moto, **more)

    def work(run: TestRun) -> Artifact:
        source = spec.load()
        return source.capture(run, source.boot(run), RecordingChannel())

    hit = through_all_faults(
        moto, faults, tmp_path, work, lambda made: remove_images(moto, made), behind="ec2.StopInstances"
    )
    wanted = (
        {"ec2.CreateSnapshot", "ec2.RegisterImage"} if road == "register" else {"ec2.AttachVolume", "ec2.CreateImage"}
    )
    assert wanted <= set(hit["kill"])
    assert hit["refuse"] == hit["kill"]
