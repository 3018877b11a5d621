"""Whole builds on saved machines in QEMU: shared, edited, resumed, and the results stand alone."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.artifacts.layers import LayerStore
from packerpy.values import Artifact
from tests.execute.conftest import Builder

pytestmark = pytest.mark.live


def _image(base: Artifact, name: str, *lines: str, layers: str = "live", **options: object) -> pp.Image:
    source = pp.Qemu(disk=base, memory="512 MiB", layers=layers, shutdown="fast", boot_timeout=900.0)  # type: ignore[arg-type]
    return pp.Image(name, source, provision=[pp.Shell(line) for line in lines], **options)  # type: ignore[arg-type]


def _done(builder: Builder) -> list[str]:
    done = [event.task for event in builder.of(events.TaskFinished) if event.status == "done"]
    builder.events.clear()
    return [task for task in done if "deliver" not in task]


def test_two_images_share_a_boot_and_an_edit_starts_from_a_layer(builder: Builder, base: Artifact) -> None:
    """One boot and one first step for both; after an edit of the last step nothing else runs; the disk boots alone."""
    first = "hostname >> /order; echo in memory > /run/kept"
    second = "cat /run/kept >> /order; echo second >> /order"
    images = [_image(base, "one", first, second), _image(base, "two", first, "echo other >> /order")]
    builder(*images)
    done = [event.task for event in builder.of(events.TaskFinished) if event.status == "done"]
    assert [task for task in done if task.endswith(("boot", "step-1"))] == ["one/boot", "one/step-1"]
    assert sorted(task for task in done if "step-2" in task) == ["one/step-2", "two/step-2"]
    assert len(LayerStore(builder.folder / "cache" / "layers").keys()) == 4

    stalls = [event.text for event in builder.of(events.TaskMessage) if "stood still" in event.text]
    assert len(stalls) == 4
    assert all(float(text.split()[-2]) < 2 for text in stalls), "far more than is measured, whatever the load"
    builder.events.clear()

    third = "echo third >> /order; test $(($(date +%s) - $(stat -c %Y /order))) -lt 5"
    check = pp.Check("cat /order", stdout="packerpy\nin memory\nsecond\nthird")
    builder(_image(base, "one", first, second, third, tests=[check]), force=True)
    assert _done(builder) == ["one/step-3", "one/capture", "one/test"]
    assert builder.leftovers == []


def test_disk_layers_and_the_fast_shutdown(builder: Builder, base: Artifact) -> None:
    """What a step did is there after a boot from its layer, what was in memory only is not.

    The file systems of a captured disk are clean although no service was stopped, and it boots without the store.
    """
    first = "echo first >> /order; echo in memory > /run/lost"
    builder(_image(base, "one", first, layers="disk"))
    assert _done(builder) == ["one/boot", "one/step-1", "one/capture"]
    second = "test ! -e /run/lost && echo second >> /order"
    result = builder(_image(base, "one", first, second, layers="disk"), force=True)
    assert _done(builder) == ["one/step-2", "one/capture"]
    for key in sorted(LayerStore(builder.folder / "cache" / "layers").keys()):
        LayerStore(builder.folder / "cache" / "layers").drop(key)
    (disk,) = result.files("one")
    _is_clean(disk, builder.folder / "raw")
    spec = pp.Qemu(disk=disk, seed="packerpy", memory="512 MiB", boot_timeout=900.0)
    check = pp.Shell("test \"$(tr '\\n' ' ' < /order)\" = 'first second '")
    builder(pp.Image("again", attrs.evolve(spec, shutdown="fast"), provision=[check]))
    assert builder.leftovers == []


def _is_clean(disk: Path, raw: Path) -> None:
    """Its ext4 needs no recovery and has no error."""
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    table = json.loads(subprocess.run(["sfdisk", "-J", raw], check=True, capture_output=True).stdout)["partitiontable"]
    root = max(table["partitions"], key=lambda partition: partition["size"])
    place = f"{raw}?offset={root['start'] * table.get('sectorsize', 512)}"
    told = subprocess.run(["dumpe2fs", "-h", place], check=True, capture_output=True, text=True).stdout
    assert "needs_recovery" not in told
    assert re.search(r"Filesystem state: +clean\n", told)
    subprocess.run(["e2fsck", "-fn", place], check=True)
