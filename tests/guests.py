"""A guest that is booted once in a session, and gone on with in clones by the tests that need one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import cast

import attrs

import packerpy as pp
from packerpy.artifacts.layers import LayerStore
from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.checkpoints.source import CheckpointedSource
from packerpy.contracts import Run
from packerpy.plan import TaskKind
from packerpy.testing import make_run
from packerpy.values import Artifact, Machine


def as_artifact(disk: Path) -> Artifact:
    """The base disk with what its build told of it, so that guests are spoken to through their agent."""
    return Artifact(
        kind="disk",
        id="base",
        files=(disk,),
        outputs={"disk": str(disk)},
        facts={"format": "qcow2", "user": "root", "seed": "packerpy", "agent": "qemu"},
    )


@attrs.frozen
class Booted:
    """A guest of the base disk as it was right after its boot, as a layer.

    :ivar spec: its declaration. What a test changes in it must be of the capture only, for the layer to fit.
    :ivar key: of the layer.
    :ivar store: has it.
    """

    spec: Qemu
    key: str
    store: LayerStore

    def give(self, cache: Path) -> Path:
        """Put the layer into a cache folder of packerpy's, so that no build with it boots; answers the folder."""
        target = LayerStore(cache / "layers").path(self.key)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copytree(self.store.path(self.key), target, copy_function=os.link)
        return cache

    def clone(self, run: Run) -> tuple[CheckpointedSource, Machine]:
        """A guest that goes on from there, without an engine."""
        source = _source(self.spec)
        return source, source.restore(run, self.store.path(self.key))


def boot(disk: Path, folder: Path) -> Booted:
    """Boot a guest of ``disk`` and save it below ``folder``, which exists."""
    spec = Qemu(disk=as_artifact(disk), memory="512 MiB", boot_timeout=900.0)
    (planned,) = pp.plan(pp.Image("booted", spec), cache=folder / "cache").builds.values()
    (task,) = planned.of(TaskKind.BOOT)
    assert task.key is not None
    booted = Booted(spec, task.key, LayerStore(folder / "layers"))
    run = make_run(folder, name="booted")
    source = _source(spec)
    try:
        machine = source.boot(run)
        channel = machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
        partial = booted.store.partial(task.key, run.id)
        partial.mkdir(mode=0o700, parents=True)
        source.save(run, machine, channel, partial)()
        booted.store.publish(partial, task.key, task.title)
        channel.close()
    finally:
        assert run.close(failed=False) == ()
    return booted


def _source(spec: Qemu) -> CheckpointedSource:
    return cast(CheckpointedSource, spec.load())
