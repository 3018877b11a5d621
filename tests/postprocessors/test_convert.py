"""Convert, judged by qemu-img itself."""

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from packerpy.errors import CancelledError, OutputError, PluginError, PostProcessError
from packerpy.events import TaskProgress
from packerpy.postprocessors.convert import Convert
from packerpy.testing import TestRun
from packerpy.values import Artifact

DRIVERS = {"qcow2": "qcow2", "raw": "raw", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}


def qemu_img(*arguments: object) -> str:
    """Its output."""
    return subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


CASES = [
    *(Convert(name) for name in DRIVERS if name != "raw"),
    Convert("raw", name="copy"),
    Convert("qcow2", compress=True, options={"compression_type": "zstd"}),
    Convert("vmdk", compress=True),
    Convert("vmdk", subformat="streamOptimized", options={"adapter_type": "lsilogic"}),
    Convert("vhd", subformat="fixed"),
    Convert("vhdx", subformat="fixed"),
]


@pytest.mark.parametrize("spec", CASES, ids=str)
def test_same_content(spec: Convert, run: TestRun, disk: Artifact, leftovers: Callable[[], list[str]]) -> None:
    """qemu-img finds the new file sound, of the format and size told, and of the same content; the input is untouched."""
    assert list(spec.check()) == []
    made = spec.load().process(run, disk)
    path, driver = made.artifact.files[0], DRIVERS[spec.format]
    assert path == run.staging / f"{spec.name or 'web'}.{spec.format}"
    assert made.artifact.outputs["disk"] == str(path)
    assert not made.needs_input
    info = json.loads(qemu_img("info", "--output=json", "-f", driver, path))
    assert made.artifact.facts["format"] == spec.format
    assert made.artifact.facts["virtual_size"] == str(info["virtual-size"]) == str(8 * 2**20)
    assert made.artifact.facts["user"] == "root"
    qemu_img("compare", "-f", "raw", "-F", driver, disk.files[0], path)
    if driver in ("qcow2", "vdi", "vmdk", "vhdx"):
        qemu_img("check", "-f", driver, path)
    if "streamOptimized" in (spec.subformat, spec.layout()):
        assert b'createType="streamOptimized"' in path.read_bytes()[:4096]
    assert disk.files[0].exists()
    assert leftovers() == []


def test_compressed_is_smaller_and_progress_is_told(run: TestRun, disk: Artifact) -> None:
    """Compression does something; progress ends at 100 %."""
    plain = Convert("qcow2").load().process(run, disk).artifact
    small = Convert("qcow2", compress=True, name="small").load().process(run, disk).artifact
    assert small.files[0].stat().st_size < 0.9 * plain.files[0].stat().st_size
    told = [(e.done, e.total, e.unit) for e in run.events if isinstance(e, TaskProgress)]
    assert told[-1] == (100.0, 100.0, "%")


def test_other_disks_come_along(run: TestRun, disk: Artifact) -> None:
    """A second disk of the artifact is converted too, under its own name."""
    second = run.staging / "web-data.raw"
    second.write_bytes(b"data" * 2**18)
    both = attrs.evolve(disk, files=(*disk.files, second), outputs={**disk.outputs, "disk1": str(second)})
    made = Convert("qcow2").load().process(run, both).artifact
    assert [path.name for path in made.files] == ["web.qcow2", "web-disk1.qcow2"]
    qemu_img("compare", "-f", "raw", "-F", "qcow2", second, made.files[1])


def test_format_is_told_by_the_file_if_by_nobody_else(run: TestRun, disk: Artifact) -> None:
    """Without a fact and a suffix that tell, the content does."""
    unknown = run.staging / "unknown"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", disk.files[0], unknown)
    bare = Artifact(kind="disk", id="x", files=(unknown,))
    made = Convert("vdi").load().process(run, bare).artifact
    qemu_img("compare", "-f", "raw", "-F", "vdi", disk.files[0], made.files[0])


def test_never_overwrites_its_input(run: TestRun, disk: Artifact) -> None:
    """A conversion to the name of a file that is there is refused."""
    with pytest.raises(PostProcessError, match="already a web"):
        Convert("raw").load().process(run, disk)


def test_nothing_to_convert(run: TestRun) -> None:
    """An artifact without disks is told, not ignored."""
    with pytest.raises(PostProcessError, match="no disk"):
        Convert("raw").load().process(run, Artifact(kind="ami", id="ami-1"))


def test_broken_disk(run: TestRun, disk: Artifact, leftovers: Callable[[], list[str]]) -> None:
    """qemu-img's own words reach the user, and no half file stays."""
    lying = attrs.evolve(disk, facts={"format": "qcow2"})
    with pytest.raises(PostProcessError, match="exit code 1") as caught:
        Convert("vmdk").load().process(run, lying)
    assert "not in qcow2 format" in str(caught.value)
    assert leftovers() == []
    assert not (run.staging / "web.vmdk").exists()


def test_full_disk(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """A full file system (a real one) is told as such and holds nothing afterwards."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", folder], check=True)
    try:
        run._staging = folder
        with pytest.raises(OutputError, match="is full"):
            Convert("qcow2").load().process(run, disk)
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", folder], check=True)


def test_cancel(
    run: TestRun, disk: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leftovers: Callable[[], list[str]]
) -> None:
    """A cancel during the conversion kills qemu-img and removes what it wrote."""
    started, bin_folder = tmp_path / "started", tmp_path / "bin"
    bin_folder.mkdir()
    os.mkfifo(started)
    slow = bin_folder / "qemu-img"
    slow.write_text(f'#!/bin/sh\nfor last; do :; done\necho half > "$last"\necho > {started}\nsleep 600\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")

    def cancel() -> None:
        started.read_text()
        run.cancellation.request()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(CancelledError):
        Convert("qcow2").load().process(run, disk)
    thread.join()
    assert leftovers() == []


def test_missing_tool(run: TestRun, disk: Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without qemu-img the error names the package."""
    monkeypatch.setattr("shutil.which", lambda *_a, **_k: None)
    with pytest.raises(PluginError, match="qemu-img") as caught:
        Convert("qcow2").load().process(run, disk)
    assert "qemu-utils" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "where", "hint"),
    [
        (Convert("vdmk"), "format", "did you mean `vmdk`"),
        (Convert("vdi", compress=True), "compress", "Compress"),
        (Convert("vmdk", compress=True, subformat="monolithicSparse"), "compress", "streamOptimized"),
        (Convert("vmdk", subformat="stream"), "subformat", "streamOptimized"),
        (Convert("raw", subformat="fixed"), "subformat", "only one"),
        (Convert("raw", name="a/b"), "name", "without folders"),
        (Convert("vmdk", options={"subformat": "x"}), "options['subformat']", "subformat="),
        (Convert("vmdk", options={"a=b": "x"}), "options['a=b']", "help"),
    ],
    ids=str,
)
def test_check(spec: Convert, where: str, hint: str) -> None:
    """Each bad declaration is one problem at the right place, with what to write instead."""
    (problem,) = spec.check()
    assert problem.where == where
    assert hint in (problem.fix or "")
    assert hash(spec) == hash(attrs.evolve(spec))
