"""Files stay small, folders stay what they are, and nothing of anybody's machine gets in."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400

FOREIGN = re.compile(
    r"/Users/\w+/|/tmp/venv\b"
    r"|\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}:\d{2,5}/"
)
"""Paths of somebody's machine, and registries by their private address."""


def files_of(*folders: str) -> list[Path]:
    """Text files below some folders of the checkout; a checkout need not be a repository, so git is not asked."""
    endings = {".py", ".md", ".toml", ".sh", ".txt", ""}
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*")))
    return [path for path in found if path.is_file() and path.suffix in endings and "_build" not in path.parts]


MODULES = [path for path in files_of("packerpy") if path.suffix == ".py"]


def test_there_are_modules() -> None:
    """The list that the other tests go by is not empty."""
    assert len(MODULES) > 100


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module(path: Path) -> None:
    """A module is short, says what it is, and none of its functions has more than 60 lines."""
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= LONGEST, f"{lines} lines"
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree), "no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            assert length <= 60, f"{node.name} has {length} lines without its docstring"


def _docstring_lines(node: ast.FunctionDef) -> int:
    first = node.body[0]
    if ast.get_docstring(node) is None:
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1


def test_the_public_names_fit_on_a_page() -> None:
    """`packerpy/__init__.py` has fewer than 100 lines."""
    assert (ROOT / "packerpy" / "__init__.py").read_text().count("\n") < 100


def test_nothing_of_a_machine_gets_in() -> None:
    """No file names a folder of somebody's machine or a private registry."""
    found = []
    top = [path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")]
    for path in [*top, *files_of("packerpy", "tests", "docs", "examples", "benchmarks", "tools", ".ci")]:
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if FOREIGN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize("name", ["quickstart", "run-tests", ".ci/run"])
def test_commands_can_be_run(name: str) -> None:
    """The commands are executable and their shell finds no mistake in them."""
    path = ROOT / name
    assert path.stat().st_mode & 0o111 == 0o111
    shell = path.read_text().splitlines()[0].rpartition("/")[2].split()[-1]
    subprocess.run([shell, "-n", path], check=True)
