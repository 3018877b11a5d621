"""A source whose running machines can be saved."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.backends.qemu.checkpoints import restore, save
from packerpy.backends.qemu.checkpoints.fingerprint import fingerprint
from packerpy.backends.qemu.source import QemuSource, known
from packerpy.contracts import Checkpoints, Communicator, Finish, Run
from packerpy.kit import revive
from packerpy.values import Machine


@attrs.frozen
class CheckpointedSource(QemuSource, Checkpoints):
    """Boots, captures, saves and restores machines as one declaration says."""

    def fingerprint(self, run: Run) -> str:
        """See :class:`packerpy.contracts.Checkpoints`."""
        return fingerprint(run, self.spec)

    def save(self, run: Run, machine: Machine, channel: Communicator, layer: Path) -> Finish:
        """See :class:`packerpy.contracts.Checkpoints`."""
        return save.save(run, self.spec, known(machine), machine, channel, layer)

    def restore(self, run: Run, layer: Path, *, savable: bool = True) -> Machine:
        """See :class:`packerpy.contracts.Checkpoints`.

        :param savable: the clone gets a copy of the saved memory. Otherwise it maps the layer's file and copies a page
            when it writes to it: it starts sooner and clones share what they do not write, but it cannot be saved,
            because QEMU would have to put all of its memory into the saved state.
        """
        return restore.restore(run, self.spec, layer, communicator=self.communicator, savable=savable)

    def revive(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Checkpoints`."""
        revive.revive(run, channel)
