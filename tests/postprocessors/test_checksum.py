"""Checksum, judged by the coreutils."""

import subprocess
from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy.errors import OutputError, PostProcessError
from packerpy.kit.checksum import ALGORITHMS
from packerpy.postprocessors.checksum import Checksum
from packerpy.testing import TestRun
from packerpy.values import Artifact
from tests.execute.conftest import Builder, builder

__all__ = ["builder"]


def sum_check(algorithm: str, file: Path) -> str:
    """What the program of the algorithm says to a file of sums."""
    command = [f"{algorithm}sum", "--strict", "-c", file.name]
    return subprocess.run(command, cwd=file.parent, check=True, capture_output=True, text=True).stdout


def test_default_is_sha256(run: TestRun, disk: Artifact) -> None:
    """One file beside the disk, that `sha256sum -c` agrees with; the disk stays with the result."""
    made = Checksum().load().process(run, disk)
    assert [path.name for path in made.artifact.files] == ["web.raw", "web.raw.sha256"]
    assert made.needs_input
    assert made.artifact.outputs == disk.outputs
    assert sum_check("sha256", made.artifact.files[1]) == "web.raw: OK\n"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_type(algorithm: str, run: TestRun, disk: Artifact) -> None:
    """Each program of the coreutils accepts its own type, also when all are made at once."""
    made = Checksum(*ALGORITHMS).load().process(run, disk).artifact
    assert len(made.files) == 1 + len(ALGORITHMS)
    assert "OK" in sum_check(algorithm, run.staging / f"web.raw.{algorithm}")


def test_one_file_for_all(run: TestRun, disk: Artifact) -> None:
    """With output= all files of the artifact are in one list, odd names included."""
    odd = run.staging / "back\\slash\nand line"
    odd.write_text("odd")
    both = attrs.evolve(disk, files=(*disk.files, odd))
    made = Checksum("sha512", output="SHA512SUMS").load().process(run, both).artifact
    assert made.files[-1].name == "SHA512SUMS"
    assert sum_check("sha512", made.files[-1]).count("OK") == 2


def test_named_by_a_pattern(run: TestRun, disk: Artifact) -> None:
    """The name that Packer uses by default can be had."""
    spec = Checksum("md5", output="packer_{build}_{builder}_{type}.checksum")
    made = spec.load().process(run, disk).artifact
    assert made.files[-1].name == "packer_web_qemu_md5.checksum"
    assert "OK" in sum_check("md5", made.files[-1])


@pytest.mark.parametrize(("mode", "count"), [("update", 2), ("append", 3), ("replace", 1)])
def test_a_file_that_is_there(mode: str, count: int, run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """What Packer only appends to (the same file twice, after two builds) is by default brought up to date."""
    sums = tmp_path / "deep" / "SHA256SUMS"
    sums.parent.mkdir()
    sums.write_text(f"{'0' * 64} *web.raw\n{'1' * 64}  other")
    made = Checksum(output=sums, mode=mode).load().process(run, disk)
    assert made.artifact == disk
    lines = sums.read_text().splitlines()
    assert len(lines) == count
    assert sum(line.endswith("other") for line in lines) == (mode != "replace")
    assert "web.raw: OK" in subprocess.run(
        ["sha256sum", "-c", sums], cwd=run.staging, check=False, capture_output=True, text=True
    ).stdout  # fmt: skip
    assert list(sums.parent.iterdir()) == [sums]


def test_chains_share_a_file(builder: Builder) -> None:
    """Two chains of one build that name the same file are both in it, whichever comes last."""
    post = [[pp.Convert(form), Checksum(output="SHA256SUMS")] for form in ("vdi", "qcow2")]
    image = pp.Image("web", pp.Fake(content="x" * 4096), post=post)
    result = builder(image, jobs=2)
    (sums,) = [path for path in result.files("web") if path.name == "SHA256SUMS"]
    assert sum_check("sha256", sums).count("OK") == 2


def test_something_else_in_the_way(run: TestRun, disk: Artifact) -> None:
    """A file that is no text is left as it is."""
    (run.staging / "SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(OutputError, match="not a list of checksums"):
        Checksum(output="SUMS").load().process(run, disk)
    assert (run.staging / "SUMS").read_bytes() == b"\xff\xfe"


def test_no_files(run: TestRun) -> None:
    """What is not made of files cannot have checksums, and that is said."""
    with pytest.raises(PostProcessError, match="no file"):
        Checksum().load().process(run, Artifact(kind="ami", id="ami-1"))


@pytest.mark.parametrize(
    ("spec", "where", "hint"),
    [
        (Checksum("sha265"), "types[0]", "did you mean `sha256`"),
        (Checksum("md5", "sha256", output="SUMS"), "output", "{type}"),
        (Checksum(output="a/"), "output", "SHA256SUMS"),
        (Checksum(output="{kind}.sums"), "output", "{image}"),
        (Checksum(output="{"), "output", "{image}"),
        (Checksum(mode="add"), "mode", "append"),
        (Checksum("crc32"), "types[0]", "use one of md5"),
    ],
    ids=str,
)
def test_check(spec: Checksum, where: str, hint: str) -> None:
    """Each bad declaration is one problem at the right place, with what to write instead."""
    (problem,) = spec.check()
    assert problem.where == where
    assert hint in (problem.fix or "")


def test_is_a_value() -> None:
    """Equal ones are equal, hash alike, and can be made anew with a change."""
    assert Checksum("md5", "sha1") == Checksum(types=["md5", "sha1"]) == Checksum("md5", "sha1", "md5")
    assert hash(Checksum()) == hash(Checksum("sha256"))
    assert attrs.evolve(Checksum("md5"), output="SUMS") == Checksum("md5", output="SUMS")
