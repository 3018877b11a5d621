"""Disk image files."""

import os
import subprocess

import pytest

from packerpy.backends.qemu import images
from packerpy.backends.qemu.errors import DiskMissing, DiskUnreadable
from packerpy.errors import CancelledError, OutputError


def names(folder):
    """What lies in a folder."""
    return [entry.name for entry in folder.iterdir()]


@pytest.fixture
def overlay(run, tmp_path):
    """An overlay on a raw base; both hold data that cannot be compressed."""
    base = tmp_path / "base.raw"
    base.write_bytes(os.urandom(4 << 20) + bytes(12 << 20))
    images.create(run, tmp_path / "overlay.qcow2", backing=base, backing_format="raw")
    subprocess.run(
        ["qemu-io", "-c", "write -P 0xab 8M 1M", tmp_path / "overlay.qcow2"], check=True, capture_output=True
    )
    return tmp_path / "overlay.qcow2"


@pytest.mark.parametrize(
    ("form", "compression"), [("qcow2", None), ("qcow2", "zstd"), ("qcow2", "zlib"), ("raw", None)]
)
def test_a_flat_copy_is_equal_and_stands_alone(run, overlay, tmp_path, form, compression):
    """What a guest would read is the same, the base is not needed any more, and nothing else lies beside it."""
    target = run.staging / f"flat.{form}"
    images.flatten(run, overlay, target, form=form, compression=compression)
    subprocess.run(["qemu-img", "compare", overlay, target], check=True, capture_output=True)
    assert images.info(run, target).backing is None
    assert images.info(run, target).format == form
    assert names(run.staging) == [target.name]


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(run, overlay, tmp_path):
    """The file system is a real one of 1 MiB."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        for form, compression in (("qcow2", None), ("qcow2", "zstd"), ("raw", None)):
            with pytest.raises(OutputError, match="is full"):
                images.flatten(run, overlay, small / "flat", form=form, compression=compression)
            assert names(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_cancelled_copy_leaves_nothing(run, overlay):
    """The program is killed and its unfinished file removed."""
    run.cancellation.request()
    with pytest.raises(CancelledError):
        images.flatten(run, overlay, run.staging / "flat.qcow2", form="qcow2", compression=None)
    assert names(run.staging) == []


def test_a_missing_and_a_broken_image_are_told_apart(run, tmp_path):
    """The one names the path, the other what qemu-img said."""
    with pytest.raises(DiskMissing, match="nothing"):
        images.info(run, tmp_path / "nothing.qcow2")
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(b"QFI\xfb" + bytes(8))
    with pytest.raises(DiskUnreadable, match="broken"):
        images.info(run, broken, form="qcow2")
