"""What tests of QEMU machines share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from packerpy.testing.run import TestRun, make_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A real run, undone at the end of the test."""
    made = make_run(tmp_path, name="web.qemu")
    yield made
    assert made.close(failed=True) == ()


@pytest.fixture
def blank_disk(tmp_path: Path) -> Path:
    """A disk on which nothing can boot."""
    path = tmp_path / "blank.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    return path
