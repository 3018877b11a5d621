"""Compress a disk image and sum it up, with all processors."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.packer import packer_build
from benchmarks.rounds import Case
from packerpy.postprocessors.checksum import Checksum
from packerpy.postprocessors.compress import Compress
from packerpy.testing import make_run
from packerpy.values import Artifact

_MIB = 256


def case(folder: Path) -> Case:
    """A quarter of a gibibyte: half text-like, a quarter random, a quarter zero, as in a disk."""
    folder.mkdir(parents=True)
    disk = folder / "disk.img"
    _fill(disk)

    def with_packerpy() -> None:
        run = make_run(folder)
        artifact = Artifact(kind="disk", id="disk", files=(disk,), outputs={"disk": str(disk)})
        compressed = Compress("gz").load().process(run, artifact).artifact
        Checksum("sha256").load().process(run, compressed)
        for path in run.staging.iterdir():
            path.unlink()
        run.close(failed=False)

    template = {
        "builders": [{"type": "file", "source": str(disk), "target": str(folder / "copy.img")}],
        "post-processors": [
            [
                {"type": "compress", "output": str(folder / "disk.gz")},
                {"type": "checksum", "checksum_types": ["sha256"], "output": str(folder / "disk.sha256")},
            ]
        ],
    }
    return Case(
        name="compress (gzip) and checksum", packerpy=with_packerpy, packer=lambda: packer_build(folder, template)
    )


def _fill(path: Path) -> None:
    noise = random.Random(1)
    words = [noise.randbytes(6).hex().encode() for _ in range(4096)]
    with path.open("wb") as file:
        for number in range(_MIB):
            kind = number % 4
            if kind == 0:
                file.write(noise.randbytes(1 << 20))
            elif kind == 1:
                file.write(bytes(1 << 20))
            else:
                file.write(b" ".join(noise.choice(words) for _ in range(1 << 17))[: 1 << 20])
