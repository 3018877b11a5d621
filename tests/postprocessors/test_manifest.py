"""Manifest: Packer's format, and our keys."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest

from packerpy.declare import Secret, Variable
from packerpy.errors import CancelledError, OutputError
from packerpy.kit import publish
from packerpy.postprocessors.manifest import Manifest
from packerpy.testing import TestRun, make_run
from packerpy.values import Artifact


def read(path: Path) -> Any:
    """Its JSON."""
    return json.loads(path.read_text())


def test_packers_format(run: TestRun, disk: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record has exactly the keys that readers of Packer's manifest look for, and ours; files are named from it."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    made = Manifest(custom_data={"team": "web"}).load().process(run, disk)
    assert made.needs_input
    content = read(run.staging / "manifest.json")
    (record,) = content["builds"]
    assert record.pop("packerpy")["outputs"] == {"disk": "web.raw"}
    assert content["last_run_uuid"] == record.pop("packer_run_uuid")
    assert record == {
        "name": "web",
        "builder_type": "qemu",
        "build_time": 1_700_000_000,
        "files": [{"name": "web.raw", "size": 8 * 2**20}],
        "artifact_id": "web.raw",
        "custom_data": {"team": "web"},
    }
    assert made.artifact.files[-1].name == "manifest.json"


def test_no_files_is_null(run: TestRun) -> None:
    """An artifact without files has the null that Packer writes."""
    Manifest(strip_time=True).load().process(run, Artifact(kind="ami", id="eu:ami-1", builder_id="packerpy.amazon.ebs"))
    (record,) = read(run.staging / "manifest.json")["builds"]
    assert record["files"] is None
    assert record["builder_type"] == "amazon.ebs"
    assert "build_time" not in record


def test_strip_path(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """Files elsewhere are named in full, or by their bare names when asked."""
    far = tmp_path / "far.img"
    far.write_bytes(b"x")
    for strip, shown in ((False, str(far)), (True, "far.img")):
        Manifest(f"{strip}.json", strip_path=strip).load().process(run, attrs.evolve(disk, files=(far,)))
        assert read(run.staging / f"{strip}.json")["builds"][0]["files"][0]["name"] == shown


def test_shared_manifest_takes_all(tmp_path: Path) -> None:
    """Eight builds that append to one file at the same time are all in it, and no lock stays."""
    shared = tmp_path / "deep" / "all.json"
    shared.parent.mkdir()

    def work(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        run = make_run(folder, name=f"build-{number}")
        made = Manifest(shared).load().process(run, Artifact(kind="ami", id=f"ami-{number}"))
        assert made.artifact.files == ()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {b["name"] for b in read(shared)["builds"]} == {f"build-{n}" for n in range(8)}
    assert list(shared.parent.iterdir()) == [shared]


_APPEND = """
import sys
from pathlib import Path
from packerpy.postprocessors.manifest import Manifest
from packerpy.testing import make_run
from packerpy.values import Artifact
folder, shared, number = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
folder.mkdir()
run = make_run(folder, name=f"build-{number}")
for one in range(10):
    Manifest(shared).load().process(run, Artifact(kind="ami", id=f"ami-{number}-{one}"))
"""


def test_processes_share_a_manifest(tmp_path: Path) -> None:
    """None of the records of four processes is lost, and a reader sees whole JSON at any time.

    Packer gives up waiting after three tries, writes without the lock and takes it from its holder.
    """
    shared = tmp_path / "all.json"
    started = [
        subprocess.Popen([sys.executable, "-c", _APPEND, tmp_path / str(number), shared, str(number)])
        for number in range(4)
    ]
    while any(process.poll() is None for process in started):
        if shared.exists():
            read(shared)
    assert [process.wait() for process in started] == [0] * 4
    assert len({build["artifact_id"] for build in read(shared)["builds"]}) == 40
    assert not list(tmp_path.glob(".all*"))


def test_waits_for_whoever_holds_the_lock(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """However long another one holds it; a cancel ends the waiting, and the other's lock stays his."""
    shared = tmp_path / "all.json"
    lock = shared.with_name(".all.json.lock")
    waits = 0

    def wait(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 20:
            run.cancellation.request()
        run.cancellation.check()

    with publish.locked(lock, run.wait):
        run.wait = wait  # type: ignore[method-assign]
        with pytest.raises(CancelledError):
            Manifest(shared).load().process(run, disk)
        assert lock.exists()
    assert not shared.exists()


def test_a_full_disk_keeps_what_was_there(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """The manifest is the old one, whole, when the new one does not fit."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    try:
        shared = folder / "all.json"
        Manifest(shared).load().process(run, disk)
        before = shared.read_text()
        with pytest.raises(OutputError, match="is full"):
            Manifest(shared, custom_data={"long": "x" * 100_000}).load().process(run, disk)
        assert shared.read_text() == before
        assert list(folder.iterdir()) == [shared]
    finally:
        subprocess.run(["umount", folder], check=True)


def test_appends_and_reruns(run: TestRun, disk: Artifact) -> None:
    """A second record is appended; the manifest is not listed twice among the files."""
    first = Manifest().load().process(run, disk).artifact
    second = Manifest().load().process(run, first).artifact
    assert second.files == first.files
    assert len(read(run.staging / "manifest.json")["builds"]) == 2


@pytest.mark.parametrize("content", ["not json", "[]", '{"builds": 3}'])
def test_something_else_in_the_way(run: TestRun, disk: Artifact, content: str) -> None:
    """A file that is not a manifest is not overwritten."""
    (run.staging / "manifest.json").write_text(content)
    with pytest.raises(OutputError, match="not a manifest"):
        Manifest().load().process(run, disk)
    assert (run.staging / "manifest.json").read_text() == content


def test_check() -> None:
    """Secrets and non-texts in custom_data are problems; variables are not; specs are hashable."""
    spec = Manifest(custom_data={"a": Secret(env="X"), "b": 3, "c": Variable("v"), "d": "fine"})
    assert [problem.where for problem in spec.check()] == ["custom_data['a']", "custom_data['b']"]
    assert [problem.where for problem in Manifest("..").check()] == ["output"]
    assert hash(Manifest(custom_data={"a": "b"})) == hash(Manifest(custom_data={"a": "b"}))
