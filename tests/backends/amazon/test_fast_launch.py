"""Snapshots that Amazon prepares of a Windows image; Amazon's side of it is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.backends.amazon import fast_launch
from packerpy.backends.amazon.api import cloud
from packerpy.testing import RecordingChannel, TestRun, make_run
from tests.backends.amazon import test_surrogate
from tests.backends.amazon.cloud import REGIONS, Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import ebs, remove_images

FastLaunch, LaunchTemplate = pp.amazon.FastLaunch, pp.amazon.LaunchTemplate


@pytest.fixture
def template(moto: Moto) -> Iterator[str]:
    """A launch template of this name in both regions, with two versions."""
    for region in REGIONS:
        ec2 = moto.client("ec2", region)
        ec2.create_launch_template(LaunchTemplateName="prepare", LaunchTemplateData={"InstanceType": "t3.large"})
        ec2.create_launch_template_version(LaunchTemplateName="prepare", LaunchTemplateData={})
    yield "prepare"
    for region in REGIONS:
        moto.client("ec2", region).delete_launch_template(LaunchTemplateName="prepare")


def told(moto: Moto, region: str, image: str) -> dict[str, Any]:
    """What Amazon was asked for."""
    (found,) = moto.client("ec2", region).describe_fast_launch_images(ImageIds=[image])["FastLaunchImages"]
    return dict(found)


def test_image_and_copy(moto: Moto, template: str, tmp_path: Path, nothing_left: None) -> None:
    """Count, parallel launches and each region's template arrive; the newest version is taken where none is named."""
    wanted = FastLaunch(
        count=7,
        max_parallel=8,
        template=LaunchTemplate(name=template),
        templates={"eu-west-1": LaunchTemplate(name=template, version=1)},
    )
    source = ebs(moto, regions=["eu-west-1"], fast_launch=wanted).load()
    run = make_run(tmp_path)
    artifact = source.capture(run, source.boot(run), RecordingChannel())
    assert run.close(failed=False) == ()
    for region, version in (("us-east-1", "2"), ("eu-west-1", "1")):
        found = told(moto, region, artifact.outputs[f"ami:{region}"])
        assert found["State"] == "enabled"
        assert (found["MaxParallelLaunches"], found["SnapshotConfiguration"]) == (8, {"TargetResourceCount": 7})
        (there,) = moto.client("ec2", region).describe_launch_templates()["LaunchTemplates"]
        assert found["LaunchTemplate"] == {"LaunchTemplateId": there["LaunchTemplateId"], "Version": version}
    remove_images(moto, artifact)


def test_surrogate_image(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """A registered image likewise; True stands for Amazon's defaults."""
    source = test_surrogate.declared(moto, fast_launch=True).load()
    run = make_run(tmp_path)
    artifact = source.capture(run, source.boot(run), RecordingChannel())
    assert run.close(failed=False) == ()
    found = told(moto, "us-east-1", artifact.outputs["ami:us-east-1"])
    assert found["State"] == "enabled"
    assert "LaunchTemplate" not in found
    remove_images(moto, artifact)


def test_before_anything_is_made(moto: Moto, template: str, tmp_path: Path) -> None:
    """An image that is none of Windows, and a template that is not there, are said at once, of any such source."""
    run = make_run(tmp_path)
    for make in (ebs, test_surrogate.declared):
        wanted = FastLaunch(template=LaunchTemplate(name=template), templates={"eu-west-1": LaunchTemplate(id="lt-0")})
        problems = tuple(make(moto, regions=["eu-west-1"], fast_launch=wanted).load().preflight(run))
        assert [problem.where for problem in problems] == ["fast_launch", "fast_launch.templates['eu-west-1']"]
        assert "Windows" in problems[0].what
    run.close(failed=False)


def test_it_fails(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """Amazon cannot prepare any: its reason is told, and neither they nor the image are left."""
    source = ebs(moto, fast_launch=True, description="hopeless").load()
    run = make_run(tmp_path)
    machine = source.boot(run)
    with pytest.raises(pp.BuildError, match=r"is enabling-failed, and will not be enabled\nthe template is of no use"):
        source.capture(run, machine, RecordingChannel())
    assert run.close(failed=True) == ()


def test_every_request(moto: Moto, template: str, faults: Faults, tmp_path: Path) -> None:
    """Throttled, refused, and killed after each request in turn."""
    access, where = moto.access(), "us-east-1"
    wanted = FastLaunch(template=LaunchTemplate(name=template))

    def work(run: TestRun) -> str:
        fast_launch.enable(cloud(run, access, where), wanted, {where: moto.ami})
        return moto.ami

    def remove(image: object) -> None:
        moto.client("ec2").disable_fast_launch(ImageId=image, Force=True)

    hit = through_all_faults(moto, faults, tmp_path / "runs", work, remove)
    assert set(hit["kill"]) == {
        "ec2.DescribeLaunchTemplates",
        "ec2.EnableFastLaunch",
        "ec2.DescribeFastLaunchImages",
    }
    assert hit["refuse"] == hit["kill"]
