"""Post-processors that need files, after what makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

import packerpy as pp

CLOUD = pp.amazon.EBS(source_ami="ami-0123456789abcdef0", ami_name="web", instance_type="t3.small")


def _problems(source: object, *post: object) -> list[str]:
    image = pp.Image("web", source, post=post)  # type: ignore[arg-type]
    return [str(problem) for problem in pp.validate(image) if "needs files" in problem.what]


@pytest.mark.parametrize(
    "item", [pp.Provenance("key.pem"), pp.Checksum(), pp.Compress(), pp.Convert("vmdk"), pp.Sbom("spdx")], ids=str
)
def test_what_needs_files(item: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An AMI has none: that is said with its place before an instance is started; a disk has some."""
    monkeypatch.chdir(tmp_path)
    (problem,) = _problems(CLOUD, pp.Manifest(), item)
    assert problem.startswith("web.post[1]: needs files")
    assert "packerpy.Manifest()" in problem
    assert _problems(pp.Fake(), pp.Manifest(), item) == []


def test_along_a_chain() -> None:
    """A member's result counts for the next: adopted files are files, and an AMI made of a disk is none."""
    assert _problems(CLOUD, [pp.ShellLocal("make"), pp.Artifice("*.tar"), pp.Checksum()]) == []
    assert _problems(CLOUD, [pp.Manifest(), pp.Checksum()]) != []
    ami = pp.amazon.DirectAMI(ami_name="x", regions="eu-west-1")
    assert _problems(pp.Fake(), [pp.Checksum(), ami]) == []
    (problem,) = _problems(pp.Fake(), [ami, pp.Checksum()])
    assert "web.post[0][1]" in problem
