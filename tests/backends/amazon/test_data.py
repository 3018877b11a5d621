"""Look-ups before planning."""

from __future__ import annotations

from pathlib import Path

import pytest

import packerpy as pp
from packerpy.errors import DataError
from packerpy.testing import make_run
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.test_ebs import ebs, remove_images


def test_newest_ami(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """The newest image of the name is what a build starts from; it stands in the plan's key, so a newer one builds anew."""
    ec2 = moto.client("ec2")
    made = []
    for number in (1, 2):
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        ec2.delete_volume(VolumeId=volume)
        mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
        kind = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda"}
        answer = ec2.register_image(Name=f"series-{number}", BlockDeviceMappings=mapping, **kind)
        made.append((answer["ImageId"], snapshot))
    found = pp.amazon.newest_ami(owner="self", name="series-*", region="us-east-1", access=moto.access())
    newest = max(
        ec2.describe_images(Owners=["self"])["Images"],
        key=lambda i: (i["CreationDate"], i["ImageId"]) if i["Name"].startswith("series") else ("", ""),
    )
    image = pp.Image("web", source=ebs(moto, source_ami=found, ami_name="from newest"))
    result = pp.build(image, output=tmp_path / "output")
    (artifact,) = result.artifacts["web"]
    assert artifact.facts["source_ami"] == newest["ImageId"]
    remove_images(moto, artifact)
    for ami, snapshot in made:
        ec2.deregister_image(ImageId=ami)
        ec2.delete_snapshot(SnapshotId=snapshot)


def test_none_and_several(moto: Moto, tmp_path: Path) -> None:
    """No match, or several where one is wanted, is an error that shows the filters."""
    run = make_run(tmp_path)
    none = pp.amazon.FindAMI(owners="self", ami_name="nothing-*", region="us-east-1", access=moto.access())
    with pytest.raises(DataError, match="no image of self match") as caught:
        none.load().read(run)
    assert "name=nothing-*" in str(caught.value)
    run.close(failed=False)


def test_parameters_and_secrets(moto: Moto, tmp_path: Path) -> None:
    """A plain parameter, one of Amazon's own, an encrypted one, and a JSON secret; the last two are secrets."""
    moto.client("ssm").put_parameter(Name="/packerpy/plain", Value="ami-0", Type="String")
    moto.client("ssm").put_parameter(Name="/packerpy/hidden", Value="hunter2-hunter2", Type="SecureString")
    moto.client("secretsmanager").create_secret(Name="packerpy/db", SecretString='{"password": "swordfish-swordfish"}')
    run = make_run(tmp_path)
    where = {"region": "us-east-1", "access": moto.access()}
    plain = pp.amazon.Parameter(path="/packerpy/plain", **where).load().read(run)
    assert plain["value"] == "ami-0"  # type: ignore[index]
    public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    assert pp.amazon.Parameter(path=public, **where).load().read(run)["value"].startswith("ami-")  # type: ignore[index]
    hidden = pp.amazon.Parameter(path="/packerpy/hidden", **where).load().read(run)
    assert hidden["value"] == pp.Secret(value="hunter2-hunter2")  # type: ignore[index]
    secret = pp.amazon.SecretsManager(id="packerpy/db", **where)
    assert secret.load().read(run)["keys"] == {"password": "swordfish-swordfish"}  # type: ignore[index]
    with pytest.raises(DataError):
        pp.amazon.Parameter(path="/packerpy/none", **where).load().read(run)
    run.close(failed=False)
    image = pp.Image("x", source=pp.Fake(), provision=[pp.Shell("echo", env={"PASSWORD": secret["keys"]["password"]})])
    seen: list[str] = []
    pp.build(image, output=tmp_path / "output", listeners=[lambda event: seen.append(str(event))])
    assert seen
    assert "swordfish" not in "".join(seen)
