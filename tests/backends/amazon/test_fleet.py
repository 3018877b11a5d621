"""An instance on spare capacity that a fleet starts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.testing import TestRun, make_run
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import ebs

FLEET: dict[str, Any] = {
    "spot": True,
    "spot_allocation": "capacity-optimized-prioritized",
    "instance_type": ["t3.small", "t3.micro"],
    "fleet_tags": {"for": "the fleet"},
}


def tags(listed: list[dict[str, str]]) -> dict[str, str]:
    """Of a thing, as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in listed}


def test_what_is_asked_for(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """Both types, with their order; the fleet, the request and the machine have their own tags, and ours; the template goes."""
    run = make_run(tmp_path)
    source = ebs(
        moto,
        **FLEET,
        spot_price="0.02",
        spot_tags={"for": "the request"},
        run_tags={"for": "the machine"},
        volume_tags={"for": "the volume"},
        user_data="#!/bin/sh",
        http_put_response_hop_limit=2,
    ).load()
    assert tuple(source.preflight(run)) == ()
    machine = source.boot(run)
    ec2 = moto.client("ec2")
    (instance,) = ec2.describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"]
    assert instance["InstanceLifecycle"] == "spot"
    assert tags(instance["Tags"])["for"] == "the machine"
    fleet = next(one for one in ec2.describe_fleets()["Fleets"] if tags(one["Tags"])["packerpy:run"] == run.id)
    assert tags(fleet["Tags"])["for"] == "the fleet"
    assert (fleet["Type"], fleet["SpotOptions"]["AllocationStrategy"]) == ("instant", FLEET["spot_allocation"])
    (config,) = fleet["LaunchTemplateConfigs"]
    asked = [(one["InstanceType"], one["MaxPrice"], one["Priority"]) for one in config["Overrides"]]
    assert asked == [("t3.small", "0.02", 0.0), ("t3.micro", "0.02", 1.0)]
    (template,) = ec2.describe_launch_template_versions(
        LaunchTemplateId=config["LaunchTemplateSpecification"]["LaunchTemplateId"]
    )["LaunchTemplateVersions"]
    data = template["LaunchTemplateData"]
    assert base64.b64decode(data["UserData"]) == b"#!/bin/sh"
    assert (data["ImageId"], data["MetadataOptions"]["HttpPutResponseHopLimit"]) == (moto.ami, 2)
    assert "InstanceMarketOptions" not in data
    told = {one["ResourceType"]: tags(one["Tags"]) for one in data["TagSpecifications"]}
    assert (told["volume"]["for"], told["spot-instances-request"]["for"]) == ("the volume", "the request")
    assert len({told[kind]["packerpy:token"] for kind in ("instance", "volume", "spot-instances-request")}) == 1
    assert "/bin/sh" not in "".join(entry.fields for entry in run.journal.entries())
    assert run.close(failed=True) == ()


def test_no_capacity_of_any(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """Each type's reason is told, and the template is gone."""
    run = make_run(tmp_path)
    with pytest.raises(pp.BuildError, match=r"no spot capacity of t3.nano, t3a.nano\nt3.nano: there is none"):
        ebs(moto, **{**FLEET, "instance_type": ["t3.nano", "t3a.nano"]}).load().boot(run)
    assert run.close(failed=True) == ()


def test_every_request(moto: Moto, faults: Faults, tmp_path: Path) -> None:
    """From the security group on, refused and killed after in turn."""

    def work(run: TestRun) -> None:
        ebs(moto, **FLEET).load().boot(run)

    hit = through_all_faults(moto, faults, tmp_path / "runs", work, lambda _: None, behind="ec2.CreateSecurityGroup")
    assert {"ec2.CreateLaunchTemplate", "ec2.CreateFleet", "ec2.DeleteLaunchTemplate"} <= set(hit["kill"])
    assert hit["refuse"] == hit["kill"]
