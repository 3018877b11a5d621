"""An image made on the instance that packerpy runs on: a loop device stands for the volume, all else is real."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.backends.amazon import snapshots
from packerpy.backends.amazon.api import cloud
from packerpy.backends.amazon.chroot import devices, metadata
from packerpy.backends.amazon.errors import NoDevice, NoFreeDevice, NoPartition, NotAnInstance
from packerpy.backends.amazon.steps import mount
from packerpy.testing import RecordingChannel, TestRun, make_run
from packerpy.values import Artifact, Command
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, cleaned, in_child, through_all_faults
from tests.backends.amazon.test_ebs import remove_images

_NUMBERS = itertools.count()
_MIB = 1 << 20
_node_of = devices.node_of
"""As it is, when a fixture has put something else in its place."""


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


@attrs.frozen
class Kernel:
    """A stand-in for what the kernel tells of NVMe disks: a tree like /sys/block, and nodes in a folder of the test's.

    The nodes are real block devices, which lead to the loop device.
    """

    disks: Path
    nodes: Path
    real: Path

    def show(self, disk: str, serial: str) -> None:
        """Let a disk appear."""
        os.mknod(self.nodes / disk, stat.S_IFBLK | 0o600, self.real.stat().st_rdev)
        (self.disks / disk / "device").mkdir(parents=True)
        (self.disks / disk / "device" / "serial").write_text(f"{serial:<20}\n")


@pytest.fixture
def kernel(attached: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """The device is found as on an instance, and not at once."""
    made = Kernel(tmp_path / "disks", tmp_path / "nodes", attached.node)
    made.disks.mkdir()
    made.nodes.mkdir()
    monkeypatch.setattr(devices, "node_of", partial(_node_of, disks=made.disks, nodes=made.nodes))
    return made


def test_which_node_a_volume_came_as(kernel: Kernel, attached: Volume) -> None:
    """By the serial number, whatever the name; by either spelling of the name where the disks are no NVMe ones."""
    look = devices.node_of
    (kernel.disks / "nvme0n1").mkdir()
    kernel.show("nvme1n1", "vol0aaaaaaaaaaaaaaaa")
    assert look("vol-0bbbbbbbbbbbbbbbb", "/dev/sdf") is None
    kernel.show("nvme2n1", "vol0bbbbbbbbbbbbbbbb")
    assert look("vol-0bbbbbbbbbbbbbbbb", "/dev/sdf") == kernel.nodes / "nvme2n1"
    (kernel.nodes / "sdg").write_text("no device")
    assert look("vol-0cccccccccccccccc", "/dev/sdg") is None
    kernel.show("xvdg", "")
    assert look("vol-0cccccccccccccccc", "/dev/sdg") == kernel.nodes / "xvdg"


def test_a_volume_that_comes_late_as_an_nvme_disk(
    moto: Moto,
    here: str,
    as_it_was: None,
    nothing_left: None,
    kernel: Kernel,
    attached: Volume,
    faults: Faults,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attached as /dev/sdf, it is there a moment later as nvme1n1; that is mounted, steps write to it, it is imaged."""
    kernel.show("nvme0n1", "vol0aaaaaaaaaaaaaaaa")
    run = make_run(tmp_path / "run")
    wait = run.wait

    def appear(seconds: float) -> None:
        wait(0)
        volume = snapshots.volumes_of(at, here).get("/dev/sdf", "")
        if volume and not (kernel.nodes / "nvme1n1").exists():
            kernel.show("nvme1n1", volume.replace("-", ""))

    monkeypatch.setattr(run, "wait", appear)
    source = declared(moto).load()
    at = cloud(run, moto.access(), "us-east-1")
    machine = source.boot(run)
    assert machine.facts["device"] == str(kernel.nodes / "nvme1n1")
    assert machine.facts["attached_as"] == "/dev/sdf"
    assert machine.communicator is not None
    channel = machine.communicator.load().connect(run, machine)
    assert channel.run(Command(line="echo here > /etc/here")).ok
    artifact = source.capture(run, machine, channel)
    assert attached.read("/etc/here") == "here"
    assert run.close(failed=False) == ()
    remove_images(moto, artifact)


_OTHER = """
import sys, time
from pathlib import Path
from packerpy.kit.publish import locked
with locked(Path(sys.argv[1]), time.sleep):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_two_builds_attach_one_after_the_other(
    moto: Moto,
    here: str,
    as_it_was: None,
    nothing_left: None,
    attached: Volume,
    faults: Faults,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While another process of this host is between looking for a free name and taking it, this one waits, and takes the next."""
    faults.reset("none", -1)
    ec2 = moto.client("ec2")
    zone = ec2.describe_instances(InstanceIds=[here])["Reservations"][0]["Instances"][0]["Placement"]
    theirs = ec2.create_volume(AvailabilityZone=zone["AvailabilityZone"], Size=1)["VolumeId"]
    run = make_run(tmp_path / "run")
    lock = run.cache / "amazon" / "attach.lock"
    lock.parent.mkdir(parents=True)
    command = [sys.executable, "-c", _OTHER, str(lock)]
    waiting = threading.Event()
    monkeypatch.setattr(run, "say", lambda text: waiting.set() if "waiting for another build" in text else None)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with ThreadPoolExecutor(1) as threads:
            booting = threads.submit(declared(moto).load().boot, run)
            assert waiting.wait(60)
            assert "ec2.AttachVolume" not in faults.seen
            ec2.attach_volume(VolumeId=theirs, InstanceId=here, Device="/dev/sdf")
            other.stdin.close()
            machine = booting.result(60)
    assert machine.facts["attached_as"] == "/dev/sdg"
    assert run.close(failed=True) == ()
    ec2.detach_volume(VolumeId=theirs, InstanceId=here)
    ec2.delete_volume(VolumeId=theirs)


def by_command(tmp_path: Path) -> dict[str, Any]:
    """Options that mount the root by a line of the user's, with something else in it."""
    line = (
        f'mount -o loop,offset={_MIB} "$PACKERPY_DEVICE" "$PACKERPY_MOUNT"; '
        'mkdir -p "$PACKERPY_MOUNT/srv"; mount -t tmpfs none "$PACKERPY_MOUNT/srv"'
    )
    return {"mount_command": line, "unmount_command": f'echo "$PACKERPY_DEVICE" > {tmp_path}/undone'}


def test_mounted_by_a_command(
    moto: Moto, as_it_was: None, nothing_left: None, here: str, attached: Volume, tmp_path: Path
) -> None:
    """A line mounts the root and more in it; all is unmounted; commands here and in the tree go through the wrapper."""
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/log\nexec "$@"\n')
    wrapper.chmod(0o755)
    source = declared(
        moto,
        **by_command(tmp_path),
        command_wrapper=[str(wrapper)],
        mounts=[("tmpfs", "tmpfs", "/mnt")],
        post_mount_commands=["echo on the host > $PACKERPY_MOUNT/etc/host"],
    )
    steps = [pp.Shell("cat /proc/mounts /etc/host > /etc/what")]
    result = pp.build(pp.Image("web", source=source, provision=steps), output=tmp_path / "output")
    seen = attached.read("/etc/what")
    assert "none /srv tmpfs" in seen
    assert seen.endswith("on the host")
    assert (tmp_path / "undone").read_text() == f"{attached.node}\n"
    log = (tmp_path / "log").read_text()
    for part in ("mount -o loop", "mount -t tmpfs tmpfs", "umount", "echo on the host", "unshare", "undone"):
        assert part in log
    remove_images(moto, result.artifacts["web"][0])


@pytest.mark.parametrize(
    ("more", "what"), [("; false", "false"), ("; umount -R $PACKERPY_MOUNT", "nothing is mounted")]
)
def test_a_command_that_mounts_nothing(
    moto: Moto, as_it_was: None, nothing_left: None, here: str, attached: Volume, tmp_path: Path, more: str, what: str
) -> None:
    """It fails, or ends well without a root: said, and what it had set up until then is taken down."""
    options = by_command(tmp_path)
    options["mount_command"] += more
    with pytest.raises(pp.BuildError, match=what):
        pp.build(pp.Image("web", source=declared(moto, **options)), output=tmp_path / "output")
    assert (tmp_path / "undone").exists()


def test_killed_after_a_command_has_mounted(
    moto: Moto,
    as_it_was: None,
    nothing_left: None,
    here: str,
    attached: Volume,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process dies before it knows what the line has mounted: cleaning unmounts it and runs the other line."""
    spec = declared(moto, **by_command(tmp_path))

    def work(run: TestRun) -> object:
        monkeypatch.setattr(mount, "_mounted", lambda: os.kill(os.getpid(), signal.SIGKILL))
        return spec.load().boot(run)

    in_child(work, tmp_path / "run")
    assert not (tmp_path / "undone").exists()
    cleaned(tmp_path / "run")
    assert (tmp_path / "undone").exists()


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
