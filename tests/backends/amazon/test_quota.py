"""Whether the account may run the machine at all is known before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from packerpy.testing import TestRun, make_run
from packerpy.values import Problem
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults
from tests.backends.amazon.test_ebs import ebs


def asked(run: TestRun, moto: Moto, **more: Any) -> tuple[Problem, ...]:
    """What the source's preflight says."""
    return tuple(ebs(moto, **more).load().preflight(run))


def test_no_room(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """A quota of 0, as new accounts have, or one that other machines use up: type, quota and code are in the one error."""
    run = make_run(tmp_path)
    (problem,) = asked(run, moto, instance_type="p4d.24xlarge")
    assert problem.where == "instance_type"
    assert "P instances may have 0 vCPUs on demand" in problem.what
    assert "p4d.24xlarge has 96" in problem.seen
    assert "L-417A185B" in problem.fix
    assert asked(run, moto, instance_type="m5.16xlarge") == ()
    ec2 = moto.client("ec2")
    other = ec2.run_instances(ImageId=moto.ami, MinCount=1, MaxCount=1, InstanceType="m5.16xlarge")
    (problem,) = asked(run, moto)
    assert "64 vCPUs on demand, and 64 run" in problem.what
    assert asked(run, moto, spot=True) == (), "spare capacity has a quota of its own"
    ec2.terminate_instances(InstanceIds=[other["Instances"][0]["InstanceId"]])
    assert asked(run, moto) == (), "what is gone does not count"
    run.close(failed=False)


def test_one_of_several_types_is_enough(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """Of types that are tried in turn, each has to be too large."""
    run = make_run(tmp_path)
    assert asked(run, moto, spot=True, instance_type=["m5.16xlarge", "t3.micro"]) == ()
    problems = asked(run, moto, spot=True, instance_type=["m5.16xlarge", "c5.18xlarge"])
    assert sorted(problem.seen for problem in problems) == ["c5.18xlarge has 72", "m5.16xlarge has 64"]
    assert all("32 vCPUs on spare capacity" in problem.what for problem in problems)
    run.close(failed=False)


@pytest.mark.parametrize("operation", ["service-quotas.GetServiceQuota", "ec2.DescribeInstances"])
def test_nobody_tells(moto: Moto, tmp_path: Path, faults: Faults, operation: str, nothing_left: None) -> None:
    """Who may not ask builds on: the launch itself will tell."""
    faults.refusals[operation] = "AccessDeniedException"
    run = make_run(tmp_path)
    assert asked(run, moto) == ()
    assert operation in faults.seen
    run.close(failed=False)


def test_what_has_no_quota_of_this_kind(moto: Moto, tmp_path: Path, faults: Faults) -> None:
    """Machines on a dedicated host are not counted; a quota that Service Quotas does not know is none."""
    run = make_run(tmp_path)
    assert asked(run, moto, instance_type="p4d.24xlarge", tenancy="host") == ()
    assert "service-quotas.GetServiceQuota" not in faults.seen
    assert asked(run, moto, instance_type="x1e.xlarge") == ()
    assert "service-quotas.GetServiceQuota" in faults.seen
    run.close(failed=False)
