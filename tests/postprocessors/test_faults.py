"""Post-processors that fail in whole builds, and where Packer does worse."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy import events
from packerpy.errors import OutputError, PostProcessError
from packerpy.postprocessors.shell_local import ShellLocal
from tests.execute.conftest import Builder, builder

__all__ = ["builder"]


def image(*post: Any, content: str = "hello") -> pp.Image:
    """An image of the fake platform."""
    return pp.Image("web", pp.Fake(content=content), post=post)


def half(artifact: pp.Artifact, run: Any) -> None:
    """Writes half a file and breaks."""
    (run.staging / "half").write_text("half of it")
    raise ConnectionError("the mirror hung up")


def test_failing_in_the_middle_of_a_chain(builder: Builder) -> None:
    """Nothing is delivered, no half file stays, the error names the task; what was finished is not done again."""
    with pytest.raises(PostProcessError, match=r"half\(\) raised ConnectionError: the mirror hung up") as raised:
        builder(image([pp.Compress("gz"), half, pp.Checksum()], pp.Manifest()))
    assert raised.value.task == "web/post-1.2"
    assert not (builder.folder / "output" / "web").exists()
    assert builder.leftovers == []
    status = {event.task: event.status for event in builder.of(events.TaskFinished)}
    assert status["web/post-1.1"] == "done"
    assert status["web/post-2"] == "done", "other chains go on, as in Packer"
    assert status.get("web/post-1.3") != "done"

    builder.events.clear()
    result = builder(image([pp.Compress("gz"), pp.Checksum()], pp.Manifest()))
    done = [event.task for event in builder.of(events.TaskFinished) if event.status == "done"]
    assert "web/post-1.1" not in done, "it was finished before the failure"
    assert "web/post-1.2" in done
    assert "half" not in {path.name for path in result.files("web")}


def test_a_failed_chain_destroys_nothing(builder: Builder) -> None:
    """In Packer a failed sequence can still lead to the original being removed; here the last results stay whole."""
    first = builder(image([pp.Compress("gz")]))
    before = {path.name: path.read_bytes() for path in first.files("web")}
    with pytest.raises(PostProcessError):
        builder(image([pp.Compress("gz"), half], content="changed"), force=True)
    assert {path.name: path.read_bytes() for path in first.files("web")} == before
    assert builder.leftovers == []


def test_answering_nothing_does_not_end_a_chain(builder: Builder) -> None:
    """In Packer a post-processor without an artifact ends its sequence silently."""

    def look(artifact: pp.Artifact) -> None:
        assert artifact.files

    names = {path.suffix for path in builder(image([look, pp.Compress("gz"), pp.Checksum()])).files("web")}
    assert names == {".tar", ".gz", ".sha256"}, "what a look is given stays"


@pytest.mark.parametrize("keep", [None, False, True])
def test_a_record_keeps_what_it_is_about(keep: bool | None, builder: Builder) -> None:
    """keep_input=False has no say where the result is of no use without its input."""
    result = builder(image([pp.Checksum(keep_input=keep), pp.Manifest(keep_input=keep)]))
    assert len(result.files("web")) == 3


@pytest.mark.parametrize(("keep", "count"), [(None, 1), (False, 1), (True, 2)])
def test_compress_keeps_its_input_when_told_to(keep: bool | None, count: int, builder: Builder) -> None:
    """By default what was compressed goes."""
    assert len(builder(image([pp.Compress("tar.gz", keep_input=keep)])).files("web")) == count


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB to deliver to."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    "post",
    [
        pp.Compress("tar", name="all.tar"),
        pp.Convert("raw", name="other"),
        lambda artifact, run: (run.staging / "big").write_bytes(bytes(2**20)) and None,
    ],
    ids=["compress", "convert", "function"],
)
def test_a_full_disk(post: Any, builder: Builder, full: Path) -> None:
    """Told as what it is, with nothing left of the half-written file."""
    with pytest.raises(OutputError, match="is full"):
        builder(image(post, content="x" * 90_000), output=full)
    assert list(full.iterdir()) == []


@pytest.mark.parametrize("spec", [pp.Checksum(output="{}/SUMS"), pp.Manifest("{}/all.json")], ids=["sums", "manifest"])
def test_a_place_that_cannot_be_written_to(spec: Any, builder: Builder, tmp_path: Path) -> None:
    """Below a file, and on a file system for reading only: one clear error each, not a traceback."""
    (tmp_path / "file").touch()
    locked = tmp_path / "locked"
    locked.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", locked], check=True)
    try:
        for folder in (tmp_path / "file", locked):
            there = type(spec)(output=str(spec.output).replace("{}", str(folder)))
            with pytest.raises(OutputError, match=r"cannot be made|not writable"):
                builder(image(there))
            assert builder.leftovers == []
    finally:
        subprocess.run(["umount", locked], check=True)


def test_all_mistakes_at_once() -> None:
    """Every mistake of every post-processor is found before anything runs, each at its place."""
    problems = pp.validate(
        image(
            pp.Artifice(),
            pp.Artifice("x", "", makes="box"),
            [pp.Checksum("sha3"), pp.Checksum(output="a/b/", mode="add")],
            pp.Compress("rar", level=3),
            pp.Compress("gz", level=77),
            pp.Manifest(custom_data={"n": 3}),
            ShellLocal(),
            pp.Sbom("swid"),
            pp.Provenance("/nowhere", builder_id="me"),
            lambda: None,
            pp.Checksum,
            3,
        )
    )
    assert [problem.where.removeprefix("web.") for problem in problems] == [
        "post[0].files",
        "post[1].files[1]",
        "post[1].makes",
        "post[2][0].types[0]",
        "post[2][1].mode",
        "post[2][1].output",
        "post[3].format",
        "post[4].level",
        "post[5].custom_data['n']",
        "post[6]",
        "post[7].formats[0]",
        "post[8].key",
        "post[8].builder_id",
        "post[9]",
        "post[10]",
        "post[11]",
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda: pp.Checksum("md5", checksum_types="md5"),  # type: ignore[call-arg]
        lambda: pp.Compress("gz", compression_level=3),  # type: ignore[call-arg]
        lambda: pp.Manifest(strip="all"),  # type: ignore[call-arg]
    ],
)
def test_unknown_keys(make: Any) -> None:
    """A key that does not exist is refused where it is written."""
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        make()
