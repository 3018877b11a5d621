"""A small tree with a shell and a few programs of the host's in it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from packerpy.communicators.local import Local
from packerpy.communicators.local.channel import LocalChannel
from packerpy.testing import TestRun, make_run
from packerpy.values import Endpoint, Machine

PROGRAMS = [
    "sh",
    "bash",
    "cat",
    "mkdir",
    "mv",
    "rm",
    "chmod",
    "ls",
    "tar",
    "id",
    "env",
    "touch",
    "mount",
    "sleep",
    "ps",
    "sed",
    "grep",
    "readlink",
    "tty",
    "sha256sum",
    "head",
    "wc",
]


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree: those programs and the libraries that they need."""
    root = tmp_path_factory.mktemp("local") / "root"
    for folder in ("usr/bin", "etc", "root", "proc", "sys", "dev", "run", "tmp"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/hostname").write_text("small\n")
    wanted = [Path(shutil.which(name) or name).resolve() for name in PROGRAMS]
    libraries = subprocess.run(["ldd", *wanted], capture_output=True, text=True, check=True).stdout
    for name, path in zip(PROGRAMS, wanted, strict=True):
        shutil.copy(path, root / "usr/bin" / name)
    for library in set(re.findall(r"(/\S+\.so\S*) \(0x", libraries)):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    return root


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A run, ended with the test."""
    made = make_run(tmp_path)
    yield made
    assert made.close(failed=False) == ()


@pytest.fixture
def channel(run: TestRun, tree: Path) -> LocalChannel:
    """A channel into the tree."""
    machine = Machine(id="tree", endpoint=Endpoint(path=tree), communicator=Local())
    return Local().load().connect(run, machine)  # type: ignore[return-value]
