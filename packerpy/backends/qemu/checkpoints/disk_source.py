"""A source whose machines are saved as disks, and booted again from them."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.backends.qemu import start
from packerpy.backends.qemu.checkpoints import record, save
from packerpy.backends.qemu.checkpoints.disks import on_layer
from packerpy.backends.qemu.checkpoints.fingerprint import disk_fingerprint
from packerpy.backends.qemu.checkpoints.record import Record
from packerpy.backends.qemu.checkpoints.restore import look
from packerpy.backends.qemu.guest import Disk
from packerpy.backends.qemu.source import QemuSource, known
from packerpy.backends.qemu.steps.seed import Access, CopyKey
from packerpy.contracts import Checkpoints, Communicator, Finish, Run
from packerpy.values import Machine


@attrs.frozen
class DiskSource(QemuSource, Checkpoints):
    """Boots, captures, saves and boots again machines as one declaration says."""

    def fingerprint(self, run: Run) -> str:
        """See :class:`packerpy.contracts.Checkpoints`."""
        return disk_fingerprint(self.spec)

    def save(self, run: Run, machine: Machine, channel: Communicator, layer: Path) -> Finish:
        """See :class:`packerpy.contracts.Checkpoints`."""
        return save.save_disks(run, self.spec, known(machine), machine, channel, layer)

    def restore(self, run: Run, layer: Path) -> Machine:
        """See :class:`packerpy.contracts.Checkpoints`: a boot, with new keys where they come from a seed."""
        layer = layer.absolute()
        saved = record.read(layer)
        look(layer, saved, self.fingerprint(run))
        access = self.access(run, saved.user) if self.spec.seeded is not None else self._kept(run, layer, saved)

        def again(decided: str) -> start.Attempt:
            return _Again(
                run=run,
                spec=self.spec,
                disk=None,
                seed=access.iso if access else None,
                accelerator=decided,
                variables=layer / record.VARIABLES if saved.has(record.VARIABLES) else None,
                layer=layer,
                saved=saved,
            )

        started = start.start(run, self.spec, again)
        return self.booted(run, started, saved.user, access, dict(saved.facts) | {"accelerator": started.accelerator})

    def _kept(self, run: Run, layer: Path, saved: Record) -> Access | None:
        """The key that an installer was told to let in; it is in the saved disk."""
        return (
            run.do(CopyKey(folder=run.workdir / "seed", source=layer / record.KEY)) if saved.has(record.KEY) else None
        )

    def revive(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Checkpoints`: it was booted, so it has all that a machine needs."""


@attrs.define(kw_only=True)
class _Again(start.Attempt):
    """One QEMU on the disks of a layer."""

    layer: Path
    saved: Record

    def disks(self, folder: Path) -> tuple[Disk, ...]:
        """New overlays on what was saved."""
        chains = enumerate(self.saved.disks)
        return tuple(on_layer(self, self.layer, chain, folder, number) for number, chain in chains)
