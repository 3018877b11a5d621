"""Every example loads, is valid, plans, and stands in the documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import packerpy as pp
from packerpy.cli.load import load

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_plans(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file declares images without problems; in a cold cache all tasks run, but those that images share."""
    monkeypatch.setenv("PACKERPY_VAR_mirror", "debian.example")
    for name in ("REGISTRY_TOKEN", "SIGNING_KEY", "PROXY_PASSWORD"):
        monkeypatch.setenv(name, "not a real one")
    images = load(str(path)).images
    assert pp.validate(images) == ()
    planned = pp.plan(images, output=tmp_path / "output")
    shared = [task for task in planned.tasks if task.action == "reuse"]
    assert {task.action for task in planned.tasks if task not in shared} - {"read"} == {"run"}
    assert all(task.reason.startswith("shared with ") for task in shared)
    assert all(task.reason for task in planned.tasks)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_quoted(path: Path) -> None:
    """Some page of the documentation includes the file."""
    pages = [page.read_text() for page in (ROOT / "docs").rglob("*.md")]
    assert any(f"examples/{path.name}" in page for page in pages)


def test_the_quickstart_is_short() -> None:
    """About 30 lines of Python."""
    lines = (ROOT / "examples" / "quickstart.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 35


def test_the_fake_example_builds(tmp_path: Path) -> None:
    """From declaration to manifest on the platform that needs nothing."""
    result = pp.build(load(str(ROOT / "examples" / "fake_platform.py")).images, output=tmp_path / "output")
    names = {path.name for path in result.files("second")}
    assert {"manifest.json", "second.tar.zst", "second.tar.zst.sha256"} <= names
    manifest = json.loads((tmp_path / "output" / "second" / "manifest.json").read_text())
    assert [build["name"] for build in manifest["builds"]] == ["second"]


def test_the_data_example_builds(tmp_path: Path) -> None:
    """What was read, and the build's own name, stand in the image."""
    result = pp.build(load(str(ROOT / "examples" / "data_sources.py")).images, output=tmp_path / "output")
    with tarfile.open(result.files("web")[0]) as tar:

        def content(name: str) -> str:
            file = tar.extractfile(name)
            assert file is not None
            return file.read().decode()

        assert content("content") == "hello"
        assert content("etc/image-name") == "web"
        assert content("etc/motd").endswith(f"on Linux {os.uname().release}\n")


def test_the_program_example_runs(tmp_path: Path) -> None:
    """As a script of its own, with a fresh interpreter; what it prints comes from its own listener."""
    ended = subprocess.run(
        [sys.executable, ROOT / "examples" / "from_a_program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "demo | a line of output" in ended.stdout
    assert "1 file(s)" in ended.stdout
