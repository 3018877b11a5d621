"""Files in S3, from moto's server: signed, resumed, in another region, from a public bucket."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from packerpy.errors import BuildError
from packerpy.kit import download, s3
from packerpy.testing import make_run

CONTENT = bytes(range(256)) * 4000
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "fake-secret", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One with a file in it, whose name has odd characters."""
    for name, value in {**KEYS, "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="images")
    client.put_object(Bucket="images", Key="debian/ä b.qcow2", Body=CONTENT)
    yield "s3://images/debian/%C3%A4%20b.qcow2"
    server.stop()


def test_a_file_is_fetched_and_gone_on_with(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed; what came before is not asked for again; without a checksum it is fetched again only when it changed."""
    asked: list[httpx.Headers] = []
    monkeypatch.setattr(s3.Signed, "_sign", noting(s3.Signed._sign, asked))
    run = make_run(tmp_path)
    part = run.cache / "downloads" / DIGEST.replace(":", "-") / "part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:500_000])
    assert download.download(run, bucket, checksum=DIGEST).read_bytes() == CONTENT
    assert asked[0]["Range"] == "bytes=500000-"
    assert asked[0]["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAFAKE/")
    first = download.download(run, bucket)
    changed = first.stat().st_mtime_ns
    assert download.download(run, bucket).stat().st_mtime_ns == changed
    assert asked[-1]["If-None-Match"]
    with pytest.raises(BuildError, match="404"):
        download.download(run, bucket + "x")


def noting(sign, asked: list[httpx.Headers]):
    """As ``sign``; what is sent is noted."""

    def signing(self: s3.Signed, request: httpx.Request) -> None:
        sign(self, request)
        asked.append(request.headers)

    return signing


def test_a_public_bucket_needs_no_credentials(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is signed; from another bucket the error says what was missing."""
    client = boto3.client("s3", region_name="us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    address, login = s3.locate(bucket)
    assert address.endswith("/images/debian/%C3%A4%20b.qcow2")
    request = httpx.Request("GET", address)
    assert "Authorization" not in next(login.sync_auth_flow(request)).headers
    with pytest.raises(BuildError, match=r"(?s)403.*Amazon's credentials"):
        download.download(make_run(tmp_path), bucket, checksum=DIGEST)
    client.put_object_acl(Bucket="images", Key="debian/ä b.qcow2", ACL="public-read")
    assert download.download(make_run(tmp_path), bucket, checksum=DIGEST).read_bytes() == CONTENT


@pytest.mark.usefixtures("bucket")
def test_a_bucket_in_another_region_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 says where it is; the second request goes there, and is signed for there."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    address, login = s3.locate("s3://images/a b")
    assert address == "https://s3.amazonaws.com/images/a%20b"
    flow = login.sync_auth_flow(httpx.Request("GET", address))
    first = next(flow)
    assert "/us-east-1/s3/" in first.headers["Authorization"]
    second = flow.send(httpx.Response(301, headers={"x-amz-bucket-region": "eu-west-1"}))
    assert str(second.url) == "https://s3.eu-west-1.amazonaws.com/images/a%20b"
    assert second.headers["Host"] == "s3.eu-west-1.amazonaws.com"
    assert "/eu-west-1/s3/" in second.headers["Authorization"]
    with pytest.raises(StopIteration):
        flow.send(httpx.Response(403, headers={"x-amz-bucket-region": "eu-west-1"}))


def test_what_is_wrong_with_the_configuration_is_told(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that is not there, before anything is asked."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(BuildError, match="cannot ask S3 for s3://images/") as caught:
        download.download(make_run(tmp_path), bucket)
    assert "nobody" in str(caught.value.details)


@pytest.mark.usefixtures("bucket")
def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to get it."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BuildError, match=r"packerpy\[amazon\]"):
        download.download(make_run(tmp_path), "s3://images/a")
