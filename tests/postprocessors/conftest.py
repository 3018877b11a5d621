"""Disks and artifacts to process."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packerpy.testing import TestRun, make_run
from packerpy.values import Artifact


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A run of a build called ``web``; what a test left in it is given back."""
    made = make_run(tmp_path, name="web")
    yield made
    assert made.close(failed=True) == ()


def disk_content(size: int) -> bytes:
    """Text-like data, random data, zeros, and text again: what a disk holds."""
    rng = random.Random(7)
    words = b" ".join(rng.choice((b"alpha", b"beta", b"gamma", b"delta\n")) for _ in range(size // 20))
    quarter = size // 4
    return (
        words[:quarter].ljust(quarter, b"x")
        + rng.randbytes(quarter)
        + bytes(quarter)
        + words[:quarter].ljust(quarter, b"y")
    )


@pytest.fixture
def disk(run: TestRun) -> Artifact:
    """An 8 MiB raw disk in the staging folder, as a source leaves it."""
    return make_disk(run, 8 * 2**20)


def make_disk(run: TestRun, size: int) -> Artifact:
    """A raw disk of a size in the staging folder."""
    path = run.staging / "web.raw"
    path.write_bytes(disk_content(size))
    return Artifact(
        kind="disk",
        id="web.raw",
        files=(path,),
        outputs={"disk": str(path)},
        facts={"format": "raw", "user": "root", "virtual_size": str(size)},
        builder_id="packerpy.qemu",
    )


@pytest.fixture
def leftovers(run: TestRun) -> Callable[[], list[str]]:
    """Names of unfinished files in the staging folder."""
    return lambda: [path.name for path in run.staging.iterdir() if path.name.startswith(".")]
