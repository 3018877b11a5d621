"""A real Debian disk on its way to Amazon, next to an EBS build of the same steps: the example, with machines of the test's."""

from __future__ import annotations

import os
import pwd
import runpy
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.backends.amazon.direct.blocks import blocks
from tests.backends.amazon.cloud import ROOT, Moto, serving
from tests.communicators.ssh.sshd_server import Sshd
from tests.guests import Booted

REGIONS = ("eu-west-1", "us-east-1")


def images(moto: Moto, booted: Booted, port: int) -> tuple[pp.Image, pp.Image]:
    """The example's two, on what there is here.

    A guest that was booted before in the place of its own; this host in the place of the instance, so the steps are harmless ones.
    """
    example: Any = runpy.run_path(str(ROOT / "examples" / "amazon.py"))
    by_disk, by_instance = example["from_disk"], example["from_instance"]
    steps = [pp.Shell("echo the same > /tmp/packerpy-both-roads")]
    (qemu,), (ebs,), ((direct,),) = by_disk.sources, by_instance.sources, by_disk.post
    assert sorted(direct.regions) == sorted((ebs.region, *ebs.regions)) == sorted(REGIONS)
    assert by_disk.provision == by_instance.provision
    login = pp.SSH(host="127.0.0.1", port=port, user=pwd.getpwuid(os.getuid()).pw_name)
    there = attrs.evolve(
        ebs,
        source_ami=moto.ami,
        instance_type="t3.micro",
        region="us-east-1",  # where the tests' server has an image to start from
        regions=["eu-west-1"],
        access=moto.access(),
        communicator=login,
        ingress=["198.51.100.7/32"],
    )
    here = attrs.evolve(booted.spec, format="raw")
    assert isinstance(qemu, type(here))
    post = [attrs.evolve(direct, access=moto.access())]
    return (
        by_disk.with_parts(sources=[here], provision=steps, tests=(), post=[post]),
        by_instance.with_parts(sources=[there], provision=steps),
    )


@pytest.mark.live
def test_two_roads(booted: Booted, tmp_path: Path) -> None:
    """A guest in QEMU is changed and its disk delivered to two regions; the snapshots, read back, equal the disk block by block."""
    with serving(tmp_path / "moto") as moto:
        folder = tmp_path / "sshd"
        folder.mkdir()
        server = Sshd(folder)
        server.authorized = moto.folder / "authorized_keys"
        server.start()
        try:
            both = images(moto, booted, server.port)
            result = pp.build(*both, output=tmp_path / "out", cache=booted.give(tmp_path / "cache"))
        finally:
            server.stop()
            Path("/tmp/packerpy-both-roads").unlink(missing_ok=True)
        assert result.artifacts["from-instance"][0].outputs.keys() == {f"ami:{region}" for region in REGIONS}
        raw, ami = result.artifacts["from-disk"]
        for region in REGIONS:
            ebs = moto.client("ebs", region)
            snapshot = ami.facts[f"snapshot:{region}"]
            listed = {
                one["BlockIndex"]: one["BlockToken"] for one in ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
            }
            for block in blocks(Path(raw.outputs["disk"])):
                token = listed.pop(block.index)
                answer = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=block.index, BlockToken=token)
                assert answer["BlockData"].read() == block.data
            assert listed == {}, "blocks that are zeros on the disk"
        told = subprocess.run(["du", "-m", raw.outputs["disk"]], capture_output=True, text=True, check=True)
        assert int(told.stdout.split()[0]) > 100, "a real disk"
