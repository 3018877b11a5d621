"""The linters, the type checker and the rule of who may import whom, run as tests so that one command tells all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TOOLS = {
    "ruff": [sys.executable, "-m", "ruff", "check", "."],
    "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "import-linter": [str(Path(sys.executable).with_name("lint-imports"))],
}


@pytest.mark.parametrize("name", TOOLS)
def test_quality(name: str) -> None:
    """The tool finds nothing to complain of, with the configuration in pyproject.toml."""
    ended = subprocess.run(TOOLS[name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{name}:\n{ended.stdout}{ended.stderr}"
