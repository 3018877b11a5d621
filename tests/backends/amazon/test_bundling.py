"""Images whose root is a bundle in S3; Amazon's AMI tools are simulated by scripts, all else is as elsewhere."""

from __future__ import annotations

import itertools
import os
import pwd
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.local import Local
from packerpy.testing import TestRun, make_run
from packerpy.values import Artifact, Endpoint, Machine
from tests.backends.amazon.cloud import KEYS, Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.communicators.ssh.sshd_server import Sshd

_NUMBERS = itertools.count()

BUNDLER = """
import argparse, pathlib, stat
p = argparse.ArgumentParser()
for name in ("--privatekey", "--cert", "--user", "--arch", "--exclude", "--destination", "--prefix"):
    p.add_argument(name, required=True)
p.add_argument("--batch", action="store_true")
p.add_argument("--no-filter", action="store_true")
a = p.parse_args()
key = pathlib.Path(a.privatekey)
assert stat.S_IMODE(key.stat().st_mode) == 0o600 and "PRIVATE" in key.read_text(), "no key"
assert str(key.parent) in a.exclude.split(","), "the key would be in the image"
out = pathlib.Path(a.destination)
(out / f"{a.prefix}.part.0").write_text("of " + pathlib.Path(a.cert).read_text())
(out / f"{a.prefix}.manifest.xml").write_text(f"<manifest>{a.user} {a.arch}</manifest>")
"""

UPLOADER = """
import argparse, pathlib, sys, urllib.request
p = argparse.ArgumentParser()
names = ("--bucket", "--manifest", "--directory", "--region", "--access-key", "--secret-key", "--url")
for name in names:
    p.add_argument(name, required=True)
p.add_argument("--batch", action="store_true")
p.add_argument("--retry", action="store_true")
a = p.parse_args()
print("uploading with", a.secret_key)
assert pathlib.Path(a.manifest).is_file()
for path in sorted(pathlib.Path(a.directory).iterdir()):
    kind = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{a.url}/{a.bucket}/{path.name}", path.read_bytes(), kind, method="PUT")
    urllib.request.urlopen(request).close()
"""


@pytest.fixture
def bucket(moto: Moto) -> Iterator[str]:
    """A bucket."""
    moto.client("s3").create_bucket(Bucket="bundles")
    yield "bundles"
    moto.client("s3").delete_bucket(Bucket="bundles")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with stand-ins for the AMI tools."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, text in (("ec2-bundle-vol", BUNDLER), ("ec2-upload-bundle", UPLOADER)):
        path = folder / name
        path.write_text(f"#!{sys.executable} -SE{text}")
        path.chmod(0o755)
    return folder


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, Path]:
    """What stands for certificate and key."""
    (tmp_path / "cert.pem").write_text("a certificate")
    (tmp_path / "key.pem").write_text("a PRIVATE KEY that nobody sees")
    return {"x509_cert": tmp_path / "cert.pem", "x509_key": tmp_path / "key.pem"}


def declared(moto: Moto, pem: dict[str, Path], tmp_path: Path, **more: Any) -> pp.amazon.Instance:
    """A declaration for the test's server."""
    values: dict[str, Any] = {
        "ami_name": f"bundle {next(_NUMBERS)}",
        "source_ami": moto.ami,
        "instance_type": "t3.micro",
        "region": "us-east-1",
        "access": moto.access(),
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "ingress": ["198.51.100.7/32"],
        "account_id": "1234-5678-9012",
        "bucket": "bundles/of/web",
        "x509_folder": str(tmp_path),
        "bundle_folder": str(tmp_path),
        **pem,
    }
    return pp.amazon.Instance(**{**values, **more})


def remove(moto: Moto, artifact: object) -> None:
    """What the build leaves on purpose."""
    assert isinstance(artifact, Artifact)
    for name, image in artifact.outputs.items():
        moto.client("ec2", name.removeprefix("ami:")).deregister_image(ImageId=image)
    s3 = moto.client("s3")
    for one in s3.list_objects_v2(Bucket="bundles").get("Contents", ()):
        s3.delete_object(Bucket="bundles", Key=one["Key"])


def test_whole_build(
    moto: Moto, bucket: str, nothing_left: None, tools: Path, pem: dict[str, Path], tmp_path: Path
) -> None:
    """The machine bundles itself with the key that was lent to it; the image is registered of the manifest in S3."""
    server = Sshd(tmp_path / "sshd", extra=f"SetEnv SHLVL=5 PATH={tools}:/usr/bin:/bin")
    server.authorized = moto.folder / "authorized_keys"
    server.start()
    events: list[Any] = []
    source = declared(
        moto,
        pem,
        tmp_path,
        communicator=pp.SSH(host="127.0.0.1", port=server.port),
        architecture="arm64",
        tags={"role": "web"},
    )
    try:
        image = pp.Image("web", source=source, provision=[pp.Shell("true")])
        result = pp.build(image, output=tmp_path / "output", listeners=[events.append])
    finally:
        server.stop()
    (artifact,) = result.artifacts["web"]
    bundle, _, manifest = artifact.facts["manifest"].removeprefix("s3://bundles/").rpartition("/")
    assert bundle.startswith("of/web/packerpy-")
    assert manifest == "image.manifest.xml"
    s3 = moto.client("s3")
    assert {one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {
        f"{bundle}/image.manifest.xml",
        f"{bundle}/image.part.0",
    }
    stored = s3.get_object(Bucket=bucket, Key=f"{bundle}/image.manifest.xml")["Body"].read()
    assert stored == b"<manifest>123456789012 arm64</manifest>"
    (made,) = moto.client("ec2").describe_images(ImageIds=[artifact.outputs["ami:us-east-1"]])["Images"]
    assert made["ImageLocation"] == f"bundles/{bundle}/{manifest}"
    assert (made["RootDeviceType"], made["Architecture"]) == ("instance-store", "arm64")
    assert {"Key": "role", "Value": "web"} in made["Tags"]
    assert "uploading with" in str(events)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(events)
    assert "PRIVATE KEY" not in str(events)
    (lent,) = tmp_path.glob("packerpy-x509-*")
    assert stat.S_IMODE(lent.stat().st_mode) == 0o700
    remove(moto, artifact)


def local(run: TestRun, machine: Machine) -> Any:
    """A channel to this host in the machine's place."""
    return Local(host=True).load().connect(run, Machine(id="x", endpoint=Endpoint(), communicator=Local(host=True)))


def test_a_copy_in_another_region(
    moto: Moto,
    bucket: str,
    nothing_left: None,
    tools: Path,
    pem: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The copy has its own name, tags and permissions there, and its root is a bundle as well: nothing is encrypted."""
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    more = {"regions": ["eu-west-1"], "tags": {"role": "web"}, "users": ["111111111111"]}
    source = declared(moto, pem, tmp_path, ami_name="bundle to copy", **more).load()
    run = make_run(tmp_path / "run")
    machine = source.boot(run)
    artifact = source.capture(run, machine, local(run, machine))
    assert run.close(failed=False) == ()
    assert set(artifact.outputs) == {"ami:us-east-1", "ami:eu-west-1"}
    ec2 = moto.client("ec2", "eu-west-1")
    image = artifact.outputs["ami:eu-west-1"]
    (made,) = ec2.describe_images(ImageIds=[image])["Images"]
    assert (made["Name"], made["RootDeviceType"]) == ("bundle to copy", "instance-store")
    assert made["BlockDeviceMappings"] == []
    assert {"Key": "role", "Value": "web"} in made["Tags"]
    permissions = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
    assert permissions == [{"UserId": "111111111111"}]
    remove(moto, artifact)


def test_what_fails_in_the_machine(
    moto: Moto, bucket: str, nothing_left: None, tools: Path, pem: dict[str, Path], tmp_path: Path
) -> None:
    """No AMI tools, or a bucket that is not there: said before or when it shows, and nothing is left."""
    run = make_run(tmp_path)
    source = declared(moto, pem, tmp_path).load()
    machine = source.boot(run)
    with pytest.raises(pp.BuildError, match="bundling the root failed with exit code 127") as caught:
        source.capture(run, machine, local(run, machine))
    assert "AMI tools" in str(caught.value)
    assert run.close(failed=True) == ()
    with pytest.raises(pp.ValidationError, match="bucket") as wrong:
        pp.build(pp.Image("web", source=declared(moto, pem, tmp_path, bucket="nowhere")), output=tmp_path / "output")
    assert [problem.where.rpartition(".")[2] for problem in wrong.value.problems] == ["bucket"]


def test_every_request(
    moto: Moto,
    bucket: str,
    tools: Path,
    pem: dict[str, Path],
    faults: Faults,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes after the instance was started, refused and killed after in turn."""
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    spec = declared(moto, pem, tmp_path)

    def work(run: TestRun) -> Artifact:
        source = spec.load()
        machine = source.boot(run)
        return source.capture(run, machine, local(run, machine))

    hit = through_all_faults(
        moto, faults, tmp_path / "runs", work, lambda made: remove(moto, made), behind="ec2.RunInstances"
    )
    assert {"ec2.RegisterImage", "ec2.TerminateInstances"} <= set(hit["kill"])
    assert hit["refuse"] == hit["kill"]
