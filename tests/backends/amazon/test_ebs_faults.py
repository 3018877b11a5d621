"""Every request of an EBS build fails in turn."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Artifact
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import ebs, remove_images


def test_every_request_of_ebs(moto: Moto, faults: Faults, tmp_path: Path) -> None:
    """Throttled once: it succeeds. Refused: it fails with our error. Killed after it: clean finds everything."""
    spec = ebs(
        moto,
        ami_name="fault",
        communicator=None,
        user="admin",
        ingress=["198.51.100.7/32"],
        regions=["eu-west-1"],
        users=["111111111111"],
        snapshot_users=["111111111111"],
        imds_support="v2.0",
        deprecate_at="2030-01-01T00:00:00Z",
        deregistration_protection=True,
        ena_support=True,
    )

    def work(run: TestRun) -> Artifact:
        source = attrs.evolve(spec).load()
        problems = tuple(source.preflight(run))
        if problems:
            from packerpy.errors import ValidationError

            raise ValidationError(problems)
        return source.capture(run, source.boot(run), RecordingChannel())

    hit = through_all_faults(moto, faults, tmp_path, work, lambda made: remove_images(moto, made))
    assert hit["throttle"] == hit["refuse"] == hit["kill"]
    assert {"ec2.RunInstances", "ec2.CreateImage", "ec2.CopyImage", "ec2.TerminateInstances"} <= set(hit["kill"])
