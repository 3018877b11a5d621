"""Images that somebody removed since they were built."""

from __future__ import annotations

from pathlib import Path

import packerpy as pp
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.test_ebs import ebs
from tests.backends.amazon.test_volumes import declared, remove


def test_an_image_that_was_deregistered_is_built_again(moto: Moto, tmp_path: Path) -> None:
    """As long as it is in all its regions it is re-used; the plan says in which it is not."""
    image = pp.Image("web", source=ebs(moto, regions=["eu-west-1"]))
    output, cache = tmp_path / "output", tmp_path / "cache"
    (first,) = pp.build(image, output=output, cache=cache).artifacts["web"]
    assert {task.action for task in pp.plan(image, output=output, cache=cache).tasks} == {"reuse"}
    there = first.outputs["ami:eu-west-1"]
    for region in ("us-east-1", "eu-west-1"):
        moto.client("ec2", region).deregister_image(ImageId=first.outputs[f"ami:{region}"])
    planned = pp.plan(image, output=output, cache=cache)
    assert any(f"{there} is gone from eu-west-1" in task.reason for task in planned.tasks)
    (second,) = pp.build(image, output=output, cache=cache).artifacts["web"]
    assert set(second.outputs.values()).isdisjoint(first.outputs.values())
    assert pp.build(image, output=output, cache=cache).reused == ("web",)
    for region in ("us-east-1", "eu-west-1"):
        moto.client("ec2", region).deregister_image(ImageId=second.outputs[f"ami:{region}"])


def test_a_snapshot_that_was_deleted_is_made_again(moto: Moto, tmp_path: Path) -> None:
    """What a build of volumes leaves is looked for, too."""
    image = pp.Image("data", source=declared(moto))
    output, cache = tmp_path / "output", tmp_path / "cache"
    (first,) = pp.build(image, output=output, cache=cache).artifacts["data"]
    assert pp.plan(image, output=output, cache=cache).builds["data"].reused
    remove(moto, first)
    planned = pp.plan(image, output=output, cache=cache)
    assert any("is gone from us-east-1" in task.reason for task in planned.tasks)
