"""An image made on the instance that packerpy runs on: a loop device stands for the volume, all else is real."""

from __future__ import annotations

import http.server
import itertools
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.backends.amazon.chroot import devices, metadata
from packerpy.backends.amazon.errors import NoDevice, NoFreeDevice, NoPartition, NotAnInstance
from packerpy.testing import RecordingChannel, TestRun, make_run
from packerpy.values import Artifact
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import remove_images

_NUMBERS = itertools.count()
_MIB = 1 << 20


def shell(line: str) -> str:
    """What a command of the host prints."""
    return subprocess.run(line, shell=True, check=True, capture_output=True, text=True).stdout.strip()


def host_state() -> tuple[list[str], list[str]]:
    """What must be afterwards as it was before: mounts and loop devices."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted(mounts), sorted(shell("losetup --noheadings --output NAME,OFFSET").splitlines())


@pytest.fixture
def here(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A metadata service on loopback that tells of an instance at moto's, whose id this is."""
    ec2 = moto.client("ec2")
    instance = ec2.run_instances(ImageId=moto.ami, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    document = {
        "instanceId": instance["InstanceId"],
        "region": "us-east-1",
        "availabilityZone": instance["Placement"]["AvailabilityZone"],
        "architecture": "x86_64",
    }

    class Service(http.server.BaseHTTPRequestHandler):
        def _say(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_PUT(self) -> None:
            self._say(200 if self.path == "/latest/api/token" else 404, "the token")

        def do_GET(self) -> None:
            good = self.headers.get("X-aws-ec2-metadata-token") == "the token"
            known = self.path == "/latest/dynamic/instance-identity/document"
            self._say(401 if not good else 200 if known else 404, json.dumps(document))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield instance["InstanceId"]
        server.shutdown()
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])


@attrs.frozen
class Volume:
    """A loop device on a file, which stands for what Amazon would attach.

    :ivar offset: where its file system begins.
    """

    file: Path
    node: Path
    offset: int = 0

    def read(self, path: str) -> str:
        """A file of the file system, without mounting it."""
        return shell(f"debugfs -R 'cat {path}' '{self.file}?offset={self.offset}' 2>/dev/null")

    def names(self, folder: str) -> list[str]:
        """What is in a folder of it."""
        lines = shell(f"debugfs -R 'ls -p {folder}' '{self.file}?offset={self.offset}' 2>/dev/null").splitlines()
        return [line.split("/")[5] for line in lines if "/" in line]


@pytest.fixture
def attached(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Volume]:
    """A partitioned disk with the small tree on its first partition, and the way it is found replaced by its node."""
    file = tmp_path / "volume"
    shell(f"truncate -s 96M {file} && echo 'label: gpt\n,,L' | sfdisk -q {file}")
    shell(f"mke2fs -q -F -t ext4 -d {tree} -E offset={_MIB} {file} 94M")
    node = Path(shell(f"losetup --find --show {file}"))
    monkeypatch.setattr(devices, "node_of", lambda _volume, _name: node)
    yield Volume(file, node, _MIB)
    shell(f"losetup --detach {node}")


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """Nothing is mounted after the test that was not before, and no loop device is in use."""
    before = host_state()
    yield
    assert host_state() == before


def declared(moto: Moto, **more: Any) -> pp.amazon.Chroot:
    """A declaration for the test's server."""
    values: dict[str, Any] = {"ami_name": f"chroot {next(_NUMBERS)}", "source_ami": moto.ami, "access": moto.access()}
    return pp.amazon.Chroot(**{**values, **more})


def test_whole_build(
    moto: Moto, as_it_was: None, nothing_left: None, here: str, attached: Volume, tmp_path: Path
) -> None:
    """Steps run in the mounted volume, with what is lent to it; its snapshot is the image's root, and nothing is left."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "list").write_text("of packages")
    (tmp_path / "lent").write_text("only for a time")
    source = declared(
        moto,
        root=pp.amazon.Disk(device="/dev/sda1", size="3 GiB", type="gp3"),
        mounts=[("bind", str(tmp_path / "packages"), "/srv/packages")],
        copy_files=[tmp_path / "lent"],
        post_mount_commands=['echo "$PACKERPY_DEVICE" > "$PACKERPY_MOUNT/etc/device"'],
        regions=["eu-west-1"],
        tags={"role": "web"},
        boot_mode="uefi",
    )
    steps = [
        pp.Shell(f"cat /srv/packages/list {tmp_path}/lent > /etc/seen; ls /dev > /etc/devices; id -u > /etc/who"),
        pp.File(content="a file", to="/etc/uploaded"),
    ]
    result = pp.build(pp.Image("web", source=source, provision=steps), output=tmp_path / "output")
    assert attached.read("/etc/seen") == "of packagesonly for a time"
    assert attached.read("/etc/uploaded") == "a file"
    assert attached.read("/etc/who") == "0"
    assert attached.read("/etc/device") == str(attached.node)
    assert attached.node.name in attached.read("/etc/devices").split(), "a boot loader could be put on it"
    assert set(attached.names(str(tmp_path))) == {".", ".."}, "what was lent is gone"
    assert set(attached.names("/srv/packages")) == {".", ".."}
    (artifact,) = result.artifacts["web"]
    assert set(artifact.outputs) == {"ami:us-east-1", "ami:eu-west-1"}
    (made,) = moto.client("ec2").describe_images(ImageIds=[artifact.outputs["ami:us-east-1"]])["Images"]
    assert (made["RootDeviceName"], made["BootMode"], made["Architecture"]) == ("/dev/sda1", "uefi", "x86_64")
    (disk,) = made["BlockDeviceMappings"]
    assert disk["Ebs"]["SnapshotId"] == artifact.facts["snapshot:us-east-1"]
    (snapshot,) = moto.client("ec2").describe_snapshots(SnapshotIds=[disk["Ebs"]["SnapshotId"]])["Snapshots"]
    tags = {tag["Key"]: tag["Value"] for tag in snapshot["Tags"]}
    assert (snapshot["VolumeSize"], tags["role"], tags["packerpy:run"]) == (3, "web", result.run)
    remove_images(moto, artifact)


def test_from_scratch(
    moto: Moto, as_it_was: None, nothing_left: None, here: str, attached: Volume, tree: Path, tmp_path: Path
) -> None:
    """Shell lines make the file system and fill it; the lent resolv.conf gives way again to the link that was there."""
    source = declared(
        moto,
        source_ami=None,
        from_scratch=True,
        root=pp.amazon.Disk(device="/dev/xvda", size="2 GiB"),
        mount_partition=0,
        pre_mount_commands=['mke2fs -q -F -t ext4 "$PACKERPY_DEVICE"'],
        post_mount_commands=[f'cp -a {tree}/. "$PACKERPY_MOUNT"', 'ln -s /nowhere "$PACKERPY_MOUNT/etc/resolv.conf"'],
    )
    steps = [pp.Shell("cat /etc/resolv.conf > /etc/names")]
    result = pp.build(pp.Image("new", source=source, provision=steps), output=tmp_path / "output")
    whole = attrs.evolve(attached, offset=0)
    assert whole.read("/etc/names") == Path("/etc/resolv.conf").read_text().strip()
    assert "nowhere" in shell(f"debugfs -R 'stat /etc/resolv.conf' {attached.file} 2>/dev/null")
    remove_images(moto, result.artifacts["new"][0])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"source_ami": "ami-12345678"}, "does not exist"),
        ({"regions": ["us-east-1"]}, "this instance's own region"),
        ({"regions": ["eu-wset-1"]}, "there is no such region"),
        ({"ami_name": "debian-base"}, "there is an image of this name in us-east-1"),
        ({"copy_files": ["/nowhere/at/all"]}, "no such file"),
        ({"mount_path": "/etc"}, "is there already"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_preflight(
    moto: Moto, nothing_left: None, here: str, tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    """Known before anything is made, in one sentence."""
    with pytest.raises(pp.ValidationError, match=what) as caught:
        pp.build(pp.Image("web", source=declared(moto, **change)), output=tmp_path / "output")
    assert len(caught.value.problems) == 1


def test_no_instance(moto: Moto, nothing_left: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no metadata service answers, that is the one problem; a service that answers nonsense likewise."""
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(pp.ValidationError, match="no instance of EC2") as caught:
        pp.build(pp.Image("web", source=declared(moto)), output=tmp_path / "output")
    assert len(caught.value.problems) == 1
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", moto.url)
    with pytest.raises(NotAnInstance):
        metadata.identity()


def test_what_fails_meanwhile(
    moto: Moto, as_it_was: None, nothing_left: None, here: str, attached: Volume, tmp_path: Path
) -> None:
    """A step, a line on the host, or no such partition: everything is unmounted, detached and deleted."""
    image = pp.Image("web", source=declared(moto), provision=[pp.Shell("exit 3")])
    with pytest.raises(pp.BuildError, match="3"):
        pp.build(image, output=tmp_path / "output")
    source = declared(moto, post_mount_commands=["echo no room >&2; false"])
    with pytest.raises(pp.BuildError, match="no room"):
        pp.build(pp.Image("web", source=source), output=tmp_path / "output")
    with pytest.raises(pp.BuildError, match="has no partition 2\nit has: 1"):
        pp.build(pp.Image("web", source=declared(moto, mount_partition=2)), output=tmp_path / "output")


def test_a_link_out_of_the_tree(
    moto: Moto, as_it_was: None, nothing_left: None, here: str, attached: Volume, tmp_path: Path
) -> None:
    """Nothing is written to the host because of a link in the image."""
    line = f'ln -s {tmp_path} "$PACKERPY_MOUNT/out"'
    source = declared(moto, post_mount_commands=[line], mounts=[("tmpfs", "tmpfs", "/out/deep/place")])
    with pytest.raises(pp.BuildError, match="is outside of"):
        pp.build(pp.Image("web", source=source), output=tmp_path / "output")
    assert not (tmp_path / "deep").exists()


def test_names_of_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first free name, whichever way it is spelled; none free, or no device that comes, is an error."""
    assert devices.free_name(["/dev/sda1", "/dev/xvdf", "/dev/sdg"]) == "/dev/sdh"
    with pytest.raises(NoFreeDevice):
        devices.free_name(f"/dev/xvd{letter}" for letter in "fghijklmnop")
    run = make_run(tmp_path)
    monkeypatch.setattr(devices, "_PATIENCE", 0.0)
    with pytest.raises(NoDevice, match="node="):
        devices.appeared(run, "vol-0123", "/dev/sdzz")
    (tmp_path / "empty").write_bytes(bytes(4096))
    with pytest.raises(NoPartition, match="it has: none"):
        devices.place_of(run, tmp_path / "empty", 1)
    run.close(failed=False)


def test_every_request(
    moto: Moto, as_it_was: None, here: str, attached: Volume, faults: Faults, tmp_path: Path
) -> None:
    """Throttled, refused, and killed after each request in turn, with the volume really mounted meanwhile."""
    spec = declared(moto)

    def work(run: TestRun) -> Artifact:
        source = spec.load()
        return source.capture(run, source.boot(run), RecordingChannel())

    state = host_state()
    hit = through_all_faults(moto, faults, tmp_path / "runs", work, lambda made: remove_images(moto, made))
    assert host_state() == state
    assert {"ec2.CreateVolume", "ec2.AttachVolume", "ec2.DetachVolume", "ec2.RegisterImage"} <= set(hit["kill"])
    assert hit["refuse"] == hit["kill"]
