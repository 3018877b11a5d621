"""Disks by way of S3; the upload is real, the import task is simulated by the tests' server."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.errors import PostProcessError
from packerpy.testing import TestRun, make_run
from packerpy.values import Artifact
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import remove_images

BAD: list[tuple[dict[str, Any], str]] = [
    ({"bucket": ""}, "bucket"),
    ({"format": "qcow2"}, "format"),
    ({"boot_mode": "uefi"}, "platform"),
    ({"architecture": "arm64"}, "boot_mode"),
    ({"architecture": "mips"}, "architecture"),
    ({"platform": "BeOS"}, "platform"),
    ({"license_type": "GPL"}, "license_type"),
    ({"s3_encryption": "rot13"}, "s3_encryption"),
    ({"s3_kms_key": "k"}, "s3_kms_key"),
    ({"kms_key": "k"}, "kms_key"),
    ({"kms_key": "my key", "encrypted": True}, "kms_key"),
    ({"s3_kms_key": "my key", "s3_encryption": "aws:kms"}, "s3_kms_key"),
    ({"imds_support": "v2"}, "imds_support"),
    ({"architecture": "arm64", "boot_mode": "legacy-bios"}, "boot_mode"),
    ({"imds_support": "v1.0"}, "imds_support"),
    ({"ami_name": "x"}, "ami_name"),
]


@pytest.fixture
def bucket(moto: Moto) -> Iterator[str]:
    """A bucket."""
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="images")
    yield "images"
    s3.delete_bucket(Bucket="images")


def disk(path: Path, size: int) -> Artifact:
    """A raw disk of random bytes."""
    path.write_bytes(random.Random(1).randbytes(size))
    return Artifact(kind="disk", id=path.name, files=(path,), outputs={"disk": str(path)}, facts={"format": "raw"})


def spec(moto: Moto, bucket: str, name: str, **more: Any) -> pp.amazon.Import:
    """A declaration for the test's server."""
    return pp.amazon.Import(ami_name=name, bucket=bucket, region="us-east-1", access=moto.access(), **more)


@pytest.mark.parametrize(("change", "where"), BAD, ids=lambda value: str(value)[:40])
def test_check(change: dict[str, Any], where: str) -> None:
    """The field is named."""
    made = pp.amazon.Import(**{"ami_name": "web", "bucket": "images", **change})
    assert where in [problem.where for problem in made.check()]


def test_in_parts(moto: Moto, bucket: str, tmp_path: Path, nothing_left: None) -> None:
    """20 MiB go up in parts and are what they were; the image has its name; file and intermediate image are gone at the end."""
    made = disk(tmp_path / "disk.raw", 20 << 20)
    run = make_run(tmp_path)
    artifact = spec(moto, bucket, "imported", tags={"a": "b"}).load().process(run, made).artifact
    s3 = moto.client("s3")
    (stored,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert s3.head_object(Bucket=bucket, Key=stored["Key"])["ETag"].endswith('-3"'), "three parts"
    assert s3.get_object(Bucket=bucket, Key=stored["Key"])["Body"].read() == (tmp_path / "disk.raw").read_bytes()
    assert run.close(failed=False) == ()
    (image,) = moto.client("ec2").describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["imported"]}])[
        "Images"
    ]
    assert image["ImageId"] == artifact.outputs["ami:us-east-1"]
    assert {"Key": "a", "Value": "b"} in image["Tags"]
    remove_images(moto, artifact)


def test_a_format_amazon_cannot_read(moto: Moto, bucket: str, tmp_path: Path, nothing_left: None) -> None:
    """A qcow2 is refused before anything is uploaded, with what to put before it."""
    run = make_run(tmp_path)
    path = tmp_path / "disk.qcow2"
    path.write_bytes(b"QFI")
    given = Artifact(kind="disk", id="d", files=(path,), outputs={"disk": str(path)}, facts={"format": "qcow2"})
    with pytest.raises(PostProcessError, match="Convert"):
        spec(moto, bucket, "never").load().process(run, given)
    run.close(failed=True)


def test_every_request(moto: Moto, bucket: str, faults: Faults, tmp_path: Path) -> None:
    """Throttled once: it succeeds. Refused: our error, and nothing left. Killed after it: clean leaves nothing."""
    made = disk(tmp_path / "disk.raw", 9 << 20)

    def work(run: TestRun) -> Artifact:
        return spec(moto, bucket, "every request").load().process(run, made).artifact

    hit = through_all_faults(moto, faults, tmp_path / "runs", work, lambda artifact: remove_images(moto, artifact))
    assert {"s3.UploadPart", "ec2.ImportImage", "ec2.CopyImage", "s3.DeleteObject"} <= set(hit["kill"])
