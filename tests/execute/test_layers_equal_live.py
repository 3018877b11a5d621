"""Whatever was built before: the files of a disk built with layers are those of one that was built without."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import packerpy as pp
from packerpy import events
from packerpy.artifacts.layers import LayerStore
from packerpy.values import Artifact
from tests.execute.conftest import Builder

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

STEPS = {
    "append": "cat /srv/log 2>/dev/null | tail -1 >> /srv/log; echo more >> /srv/log",
    "memory": "echo $(($(cat /run/count 2>/dev/null || echo 0) + 1)) > /run/count; cp /run/count /srv/count",
    "remove": "rm -f /srv/log; mkdir -p /srv/deep/er; ln -sf ../log /srv/deep/link",
    "modes": "mkdir -p /etc/made; touch /etc/made/$(ls /etc/made | wc -l); chmod 0640 /etc/made/*; hostname > /etc/made/name",
}

CHAINS = st.lists(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=3), min_size=2, max_size=3)

OTHERWISE = ("machine-id", "random-seed", "resolv.conf")
"""Names of files that differ between any two boots."""


def _build(builder: Builder, disk: Path, chain: list[str], *, no_cache: bool = False) -> Path:
    facts = {"format": "qcow2", "user": "root", "seed": "packerpy", "agent": "qemu"}
    base = Artifact(kind="disk", id="base", files=(disk,), outputs={"disk": str(disk)}, facts=facts)
    source = pp.Qemu(disk=base, memory="512 MiB", boot_timeout=900.0, shutdown="fast", format="raw")
    image = pp.Image("one", source, provision=[pp.Shell(STEPS[word]) for word in chain])
    (built,) = builder(image, force=True, no_cache=no_cache).files("one")
    return built


def _restored(builder: Builder) -> bool:
    """Whether the last build began with the layer before its last step."""
    started = builder.of(events.RunStarted)[-1]
    return [action for _, _, action, *_ in started.tasks][2] == "restore"


def _tree(disk: Path, folder: Path) -> dict[str, str]:
    """Path → mode and content of what steps can have changed; read from the disk by its file system's own tools."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    table = json.loads(subprocess.run(["sfdisk", "-J", disk], check=True, capture_output=True).stdout)["partitiontable"]
    root = max(table["partitions"], key=lambda partition: partition["size"])
    place = f"{disk}?offset={root['start'] * table.get('sectorsize', 512)}"
    subprocess.run(["debugfs", "-R", f"rdump /etc /srv /root {folder}", place], check=True, capture_output=True)
    return {str(path.relative_to(folder)): _entry(path) for path in folder.rglob("*") if path.name not in OTHERWISE}


def _entry(path: Path) -> str:
    mode = stat.filemode(path.lstat().st_mode)
    if path.is_symlink():
        return f"{mode} {path.readlink()}"
    return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else mode


def test_files_are_the_same(builder: Builder, base_disk: Path) -> None:
    """Chains that were built one after another, each from the layers of those before, against the last one alone.

    The first is compared with a whole build from power-on, with ``no_cache``; those that hypothesis finds with builds
    from its saved boot, so that a few examples fit into a minute or two.
    """
    store = LayerStore(builder.folder / "cache" / "layers")
    first = ["append", "modes", "memory"]
    whole = _tree(_build(builder, base_disk, first, no_cache=True), builder.folder / "whole")
    assert "srv/count" in whole
    boot = min(store.list(), key=lambda layer: layer.made).key

    def forget() -> None:
        for key in store.keys() - {boot}:
            store.drop(key)
        shutil.rmtree(builder.folder / "cache" / "results", ignore_errors=True)

    forget()
    for chain in ([*first[:-1], "remove"], first):
        built = _build(builder, base_disk, chain)
    assert _restored(builder)
    assert _tree(built, builder.folder / "with") == whole

    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(chains=CHAINS)
    def check(chains: list[list[str]]) -> None:
        for chain in chains:
            built = _build(builder, base_disk, chain)
        with_layers = _tree(built, builder.folder / "with")
        assert "srv" in with_layers
        forget()
        assert _tree(_build(builder, base_disk, chains[-1]), builder.folder / "without") == with_layers

    check()
