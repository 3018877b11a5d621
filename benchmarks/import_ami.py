"""A disk becomes an AMI: blocks put into a snapshot (DirectAMI) against the road by S3 and Amazon's import (Import).

Run with ``python -m benchmarks.import_ami``. Both go whole to the server that the tests use, on loopback. Its import
task is a stand-in that ends at once, where Amazon needs many minutes to convert: what is compared is our side alone.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import packerpy as pp
from packerpy.contracts import PostProcessorSpec
from packerpy.testing import make_run
from packerpy.values import Artifact
from tests.backends.amazon.cloud import KEYS, serving

SIZE, DATA, PIECE = 2 << 30, 256 << 20, 4 << 20
"""Bytes of the disk, of what is in it, and of one stretch of that."""


def _disk(path: Path) -> Artifact:
    """Mostly zeros, as disks are: its data lie in stretches with holes between them."""
    with path.open("wb") as file:
        for at in range(0, SIZE, SIZE * PIECE // DATA):
            file.seek(at)
            file.write(os.urandom(PIECE))
        file.truncate(SIZE)
    return _artifact(path)


def _artifact(path: Path) -> Artifact:
    return Artifact(
        kind="disk", id=path.name, files=(path,), outputs={"disk": str(path)}, facts={"format": path.suffix[1:]}
    )


def _seconds(folder: Path, spec: PostProcessorSpec, disk: Artifact) -> float:
    folder.mkdir()
    run = make_run(folder)
    start = time.monotonic()
    spec.load().process(run, disk)
    seconds = time.monotonic() - start
    run.close(failed=False)
    return seconds


def main() -> None:
    """Print one line each."""
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory() as place, serving(Path(place) / "moto") as moto:
        folder = Path(place)
        moto.client("s3").create_bucket(Bucket="images")
        raw = _disk(folder / "disk.raw")
        start = time.monotonic()
        packed = folder / "disk.vmdk"
        convert = ["qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", raw.files[0], packed]
        subprocess.run(convert, check=True)
        converting = time.monotonic() - start
        spec = pp.amazon.DirectAMI(ami_name="direct", regions=["us-east-1"], access=moto.access())
        direct = _seconds(folder / "a", spec, raw)
        print(f"disk of {SIZE >> 20} MiB with {DATA >> 20} MiB in it, on our side")
        print(f"DirectAMI:                  {direct:6.1f} s")
        for title, form, before in (("raw", raw, 0.0), ("vmdk, and its conversion", _artifact(packed), converting)):
            name = f"import-{title[:4]}"
            road = pp.amazon.Import(ami_name=name, bucket="images", region="us-east-1", access=moto.access())
            seconds = before + _seconds(folder / title[:4], road, form)
            print(f"Import, {title + ':':25} {seconds:6.1f} s; DirectAMI takes {direct / seconds:.2f} of it")


if __name__ == "__main__":
    main()
