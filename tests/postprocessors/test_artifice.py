"""Artifice: files made by others."""

from __future__ import annotations

from pathlib import Path

import pytest

from packerpy.errors import PostProcessError
from packerpy.postprocessors.artifice import Artifice
from packerpy.postprocessors.compress import Compress
from packerpy.postprocessors.convert import Convert
from packerpy.testing import TestRun
from packerpy.values import Artifact


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own."""
    folder = tmp_path / "here [1]"
    (folder / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_patterns_and_places(run: TestRun, disk: Artifact, here: Path) -> None:
    """Results come before the working folder; patterns fit sorted; ** goes down; an odd name is itself; no folders."""
    for name in ("b.box", "a.box", "deep/c.box", "deep/er/d.box", "[x].iso"):
        (here / name).write_text(name)
    (run.staging / "b.box").write_text("among the results")
    made = Artifice("?.box", "[x].iso", "d*", "**/d.box").load().process
    with pytest.raises(PostProcessError, match=r"1 of 4 names"):
        made(run, disk)
    made_of = Artifice("?.box", "[x].iso", "**/d.box", here / "a.box").load().process(run, disk)
    expected = [run.staging / "b.box", here / "[x].iso", here / "deep/er/d.box", here / "a.box"]
    assert list(made_of.artifact.files) == expected
    assert made_of.artifact.id == "b.box"
    assert not made_of.needs_input
    assert made_of.artifact.builder_id == "packerpy.artifice"


def test_all_that_is_missing_is_listed(run: TestRun, disk: Artifact, here: Path) -> None:
    """Every name that fits nothing is told at once, with where it was looked for."""
    (here / "there").touch()
    with pytest.raises(PostProcessError) as raised:
        Artifice("there", "one", "two*", "deep").load().process(run, disk)
    assert raised.value.brief.startswith("3 of 4")
    details = raised.value.details or ""
    for what in ("- one\n", "- two*\n", "- deep\n", str(here), str(run.staging)):
        assert what in details


def test_added_files_stand_beside(run: TestRun, disk: Artifact) -> None:
    """add=True keeps what the artifact has, and its input with it."""
    (run.staging / "web.sig").touch()
    made = Artifice("*.sig", "web.raw", add=True).load().process(run, disk)
    assert [path.name for path in made.artifact.files] == ["web.raw", "web.sig"]
    assert made.needs_input
    assert made.artifact.outputs == disk.outputs


def test_an_adopted_disk_can_be_converted(run: TestRun, disk: Artifact, here: Path) -> None:
    """As a disk, what was adopted is converted and then compressed."""
    (here / "other.raw").write_bytes(bytes(2**20))
    adopted = Artifice("other.raw", makes="disk").load().process(run, disk).artifact
    converted = Convert("qcow2", name="new").load().process(run, adopted).artifact
    packed = Compress("gz").load().process(run, converted).artifact
    assert [path.name for path in packed.files] == ["new.qcow2.gz"]
    assert converted.facts["virtual_size"] == str(2**20)
