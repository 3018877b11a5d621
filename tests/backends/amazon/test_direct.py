"""Disks become AMIs block by block."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.backends.amazon.direct import parent
from packerpy.backends.amazon.direct.blocks import SIZE, count, zero_block
from packerpy.backends.amazon.direct.digests import Digests, Marks
from packerpy.backends.amazon.direct.log import UploadLog
from packerpy.backends.amazon.errors import NameTaken
from packerpy.execute.clean import clean, sweep
from packerpy.testing import TestRun, make_run
from packerpy.values import Artifact
from tests.backends.amazon.cloud import REGIONS, ROOT, Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import remove_images


def disk_of(path: Path, filled: dict[int, bytes], length: int) -> Artifact:
    """A raw disk with some blocks of one byte each."""
    with path.open("wb") as file:
        file.truncate(length)
        for index, byte in filled.items():
            file.seek(index * SIZE)
            file.write(byte * SIZE)
    return Artifact(
        kind="disk",
        id=path.name,
        files=(path,),
        outputs={"disk": str(path)},
        facts={"format": "raw", "firmware": "bios,uefi"},
    )


def direct(moto: Moto, name: str, **more: Any) -> pp.amazon.DirectAMI:
    """A declaration for the test's server."""
    values: dict[str, Any] = {"ami_name": name, "regions": REGIONS, "access": moto.access(), "workers": 4}
    return pp.amazon.DirectAMI(**{**values, **more})


def deliver(spec: pp.amazon.DirectAMI, artifact: Artifact, folder: Path) -> Artifact:
    """Without an engine."""
    folder.mkdir(exist_ok=True)
    run = make_run(folder)
    made = None
    try:
        made = spec.load().process(run, artifact).artifact
    finally:
        run.close(failed=made is None)
        run.journal.end(run.id)
    return made


def read_back(moto: Moto, region: str, snapshot: str) -> dict[int, bytes]:
    """Every block of a snapshot, as the server answers it."""
    ebs = moto.client("ebs", region)
    listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    return {
        one["BlockIndex"]: ebs.get_snapshot_block(
            SnapshotId=snapshot, BlockIndex=one["BlockIndex"], BlockToken=one["BlockToken"]
        )["BlockData"].read()
        for one in listed
    }


def same(path: Path, found: dict[int, bytes]) -> bool:
    """Whether a snapshot's blocks are the disk's; blocks that are not there are zeros."""
    with path.open("rb") as file:
        for index in range(count(path)):
            data = file.read(SIZE)
            if found.get(index, bytes(SIZE)) != data.ljust(SIZE, b"\0"):
                return False
    return True


def test_two_regions(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """A qcow2 of odd size is in both regions block by block what it was; blocks of zeros were not sent; the image says how it boots."""
    raw = tmp_path / "disk.raw"
    disk_of(raw, {0: b"a", 3: b"\0", 700: b"z"}, 701 * SIZE - 4096)
    qcow = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow], check=True)
    facts = {"format": "qcow2", "firmware": "uefi", "architecture": "x86_64"}
    given = Artifact(kind="disk", id="disk.qcow2", files=(qcow,), outputs={"disk": str(qcow)}, facts=facts)
    spec = direct(
        moto,
        "two regions",
        tpm_support="v2.0",
        boot_mode="uefi",
        imds_support="v2.0",
        tags={"a": "b"},
        users=["111111111111"],
    )
    made = deliver(spec, given, tmp_path / "run")
    assert set(made.outputs) == {f"ami:{region}" for region in REGIONS}
    for region in REGIONS:
        found = read_back(moto, region, made.facts[f"snapshot:{region}"])
        assert sorted(found) == [0, 700]
        assert same(raw, found)
        (image,) = moto.client("ec2", region).describe_images(ImageIds=[made.outputs[f"ami:{region}"]])["Images"]
        assert (image["BootMode"], image["Architecture"], image["RootDeviceName"]) == ("uefi", "x86_64", "/dev/xvda")
        assert image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == made.facts[f"snapshot:{region}"]
        assert {"Key": "a", "Value": "b"} in image["Tags"]
    assert not list((tmp_path / "run" / "staging").iterdir())
    assert not list((tmp_path / "run" / "cache" / "amazon" / "uploads").iterdir())
    remove_images(moto, made)


@pytest.mark.parametrize("kept", [True, False], ids=["digests kept here", "digests read from the snapshot"])
def test_only_changes(moto: Moto, tmp_path: Path, faults: Faults, nothing_left: None, *, kept: bool) -> None:
    """With a parent, only blocks that differ are put, zeros over what is gone; the result equals the new disk."""
    old = disk_of(tmp_path / "old", {0: b"a", 1: b"b", 2: b"c"}, 4 * SIZE)
    first = deliver(direct(moto, f"old {kept}", regions="us-east-1"), old, tmp_path / "run")
    mother = first.facts["snapshot:us-east-1"]
    new = disk_of(tmp_path / "new", {0: b"a", 1: b"B", 3: b"d"}, 4 * SIZE)
    faults.reset("none", -1)
    spec = direct(moto, f"new {kept}", regions="us-east-1", parents={"us-east-1": mother})
    second = deliver(spec, new, tmp_path / ("run" if kept else "other"))
    assert faults.seen.count("ebs.PutSnapshotBlock") == 3
    assert faults.seen.count("ebs.GetSnapshotBlock") == (0 if kept else 3)
    assert same(tmp_path / "new", read_back(moto, "us-east-1", second.facts["snapshot:us-east-1"]))
    remove_images(moto, second)
    remove_images(moto, first)


def test_goes_on_after_a_crash(moto: Moto, tmp_path: Path, faults: Faults, nothing_left: None) -> None:
    """Killed in the middle; the next build lets the snapshot be, takes it over, and puts only what is missing or changed."""
    filled = {index: bytes([index + 1]) for index in range(24)}
    disk = disk_of(tmp_path / "disk", filled, 30 * SIZE)
    spec = direct(moto, "crash", regions="us-east-1", workers=1)
    faults.reset("kill", 20)
    pid = os.fork()
    if pid == 0:
        try:
            deliver(spec, disk, tmp_path / "run")
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    disk = disk_of(tmp_path / "disk", {**filled, 2: b"X"} | {4: b"\0"}, 30 * SIZE)
    run = make_run(tmp_path / "run")
    (left,) = [
        one
        for one in sweep(run.journal, tmp_path / "run", run.journal.dead_runs(), resume=True)
        if "snapshot" in one.title
    ]
    assert "go on" in left.error
    run.close(failed=False)
    run.journal.end(run.id)
    faults.reset("none", -1)
    made = deliver(spec, disk, tmp_path / "run")
    put = faults.seen.count("ebs.PutSnapshotBlock")
    assert "ebs.StartSnapshot" not in faults.seen
    assert 5 <= put < 15, "most blocks were there already"
    assert same(tmp_path / "disk", read_back(moto, "us-east-1", made.facts["snapshot:us-east-1"]))
    assert [one for one in clean(cache=tmp_path / "run") if "snapshot" in one.title] == []
    assert moto.client("ec2").describe_images(ImageIds=[made.outputs["ami:us-east-1"]])["Images"]
    remove_images(moto, made)


def test_every_request(moto: Moto, faults: Faults, tmp_path: Path) -> None:
    """Throttled once: it succeeds. Refused: our error, and nothing left. Killed after it: clean leaves nothing."""
    disk = disk_of(tmp_path / "disk", {0: b"a", 1: b"b", 2: b"c"}, 3 * SIZE)
    spec = direct(moto, "every request", workers=1, users=["111111111111"], deprecate_at="2030-01-01T00:00:00Z")

    def work(run: TestRun) -> Artifact:
        return spec.load().process(run, disk).artifact

    hit = through_all_faults(moto, faults, tmp_path / "runs", work, lambda made: remove_images(moto, made))
    assert hit["refuse"] == hit["kill"]
    assert hit["kill"].count("ebs.PutSnapshotBlock") == 6


def test_a_taken_name(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """An image of the name is an error before a block is sent; or it is replaced, with its snapshot, when that is declared."""
    disk = disk_of(tmp_path / "disk", {0: b"a"}, SIZE)
    deliver(direct(moto, "taken", regions="us-east-1"), disk, tmp_path / "run")
    with pytest.raises(NameTaken, match="there is an image taken in us-east-1"):
        deliver(direct(moto, "taken", regions="us-east-1"), disk, tmp_path / "run")
    spec = direct(moto, "taken", regions="us-east-1", force_deregister=True, force_delete_snapshot=True)
    remove_images(moto, deliver(spec, disk, tmp_path / "run"))


@attrs.define
class Nowhere:
    """Takes blocks and forgets them; counts them only.

    :ivar count: how many.
    """

    region: str = "nowhere"
    count: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Count a block."""
        if operation == "ebs.PutSnapshotBlock":
            with self._lock:
                self.count += 1
        else:
            assert parameters["ChangedBlocksCount"] == self.count
        return {}


_MEASURE = """
import os, resource, sys
from pathlib import Path
from packerpy.backends.amazon.direct.blocks import blocks, count
from packerpy.backends.amazon.direct.log import UploadLog
from packerpy.backends.amazon.direct.upload import Target, upload
from packerpy.testing import make_run
from tests.backends.amazon.test_direct import Nowhere

folder, disk = Path(sys.argv[1]), Path(sys.argv[2])
run = make_run(folder)
log = UploadLog(folder / "log", {})
log.begin("snap-1")
nowhere = Nowhere()
target = Target(nowhere, "snap-1", log)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
put = upload(run, blocks(disk), [target], workers=8, total=count(disk))
target.complete()
print(put, nowhere.count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
run.close(failed=False)
"""


def test_memory_is_bounded(tmp_path: Path) -> None:
    """The process grows by less than 32 MiB, for a disk of 8 TiB with 512 blocks all over it and for one of as many blocks in one piece."""
    grown = []
    for name, size, step in (("scattered", 8 << 40, (8 << 40) // 512), ("dense", 256 << 20, SIZE)):
        path, folder = tmp_path / name, tmp_path / f"{name}.run"
        folder.mkdir()
        block = random.Random(1).randbytes(SIZE)
        with path.open("wb") as file:
            file.truncate(size)
            for index in range(512):
                file.seek(index * step)
                file.write(block)
        told = subprocess.run(
            [sys.executable, "-c", _MEASURE, folder, path], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()
        assert told[:2] == ["512", "512"]
        grown.append(int(told[2]))
        path.unlink()
    assert max(grown) < 32 << 10, grown


def test_digests(tmp_path: Path) -> None:
    """They come back in order, also from places far apart, and are there when the file is opened again; marks likewise."""
    places = [0, 1, 4095, 4096, 1 << 27]
    made = Digests.new(tmp_path / "digests")
    for place in reversed(places):
        made.put(place, hashlib.sha256(str(place).encode()).digest())
    made.close()
    found = Digests.open(tmp_path / "digests")
    assert list(found.indexes()) == places
    assert found.count() == len(places)
    assert found.get(4096) == hashlib.sha256(b"4096").digest()
    assert found.get(2) is found.get(1 << 30) is None
    found.close()
    assert (tmp_path / "digests").stat().st_blocks * 512 < 1 << 20, "a sparse file"
    marks = Marks()
    for place in places:
        marks.add(place)
    assert [place for place in (*places, 2, 4097, 1 << 28) if place in marks] == places


def test_two_builds_at_the_same_upload(tmp_path: Path) -> None:
    """The second does without the file, and spoils nothing in it."""
    first = UploadLog(tmp_path, {"name": "x"})
    first.begin("snap-1")
    first.put(3, b"a" * 32)
    second = UploadLog(tmp_path, {"name": "x"})
    second.begin("snap-2")
    second.put(4, b"b" * 32)
    assert (second.mine, list(second.done.indexes())) == (False, [4])
    second.end()
    second.close()
    first.close()
    again = UploadLog(tmp_path, {"name": "x"})
    assert (again.snapshot, list(again.done.pairs())) == ("snap-1", [(3, b"a" * 32)])
    again.close()


def test_blocks_are_listed_page_by_page(tmp_path: Path) -> None:
    """A long list of a parent's blocks is read to its end."""

    class Pages:
        region = "x"

        def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
            first = int(parameters.get("NextToken", "0"))
            answer: dict[str, Any] = {"Blocks": [{"BlockIndex": first + n, "BlockToken": str(n)} for n in range(2)]}
            return answer if first >= 4 else {**answer, "NextToken": str(first + 2)}

    assert [index for index, _ in parent.blocks_of(Pages(), "snap-1")] == [0, 1, 2, 3, 4, 5]  # type: ignore[arg-type]
    assert zero_block(3).data == bytes(SIZE)
