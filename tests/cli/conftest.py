"""The real program, and files for it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

PROGRAM = Path(sys.executable).parent / "packerpy"

TWO_IMAGES = """
import packerpy as pp
from packerpy.postprocessors.checksum import Checksum

base = pp.Image("base", pp.Fake(content="hello"))
web = pp.Image("web", pp.Fake(disk=base.output()), post=[Checksum()])
"""


@attrs.frozen
class Ended:
    """How the program ended."""

    code: int
    out: str
    err: str


@attrs.frozen
class Cli:
    """Runs the installed console script in a folder of its own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Ours, with a cache of its own."""
        kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
        return {**kept, "PACKERPY_CACHE_DIR": str(self.folder / "cache"), "COLUMNS": "200"}

    def write(self, text: str, name: str = "images.py") -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_text(text)
        return path

    def __call__(self, *arguments: object, **environment: str) -> Ended:
        """Run to the end."""
        made = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ended(made.returncode, made.stdout, made.stderr)

    def start(self, *arguments: object, **options: object) -> "subprocess.Popen[str]":
        """Start, and go on."""
        command = [str(PROGRAM), *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The program."""
    return Cli(tmp_path)


@pytest.fixture
def fake_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a program of ours first in PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def add(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return add
