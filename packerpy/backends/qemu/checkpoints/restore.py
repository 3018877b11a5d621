"""From a layer to a running clone."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import attrs

from packerpy.backends.qemu import ports, start, vnc
from packerpy.backends.qemu.argv import DiskFile, Wiring, arguments
from packerpy.backends.qemu.checkpoints import ram, record, state
from packerpy.backends.qemu.checkpoints.disks import on_layer
from packerpy.backends.qemu.checkpoints.fingerprint import fingerprint
from packerpy.backends.qemu.checkpoints.record import Record
from packerpy.backends.qemu.errors import LayerDamaged, LayerForeign
from packerpy.backends.qemu.guest import Disk
from packerpy.backends.qemu.specs import Qemu
from packerpy.backends.qemu.start import Acquiring
from packerpy.backends.qemu.steps.launch import Launch
from packerpy.backends.qemu.steps.memory import MakeMemory, inherited
from packerpy.backends.qemu.steps.variables import CopyVariables
from packerpy.contracts import CommunicatorSpec, Run
from packerpy.kit.folder import Folder
from packerpy.values import Endpoint, Machine

Choose = Callable[[Mapping[str, str], str], CommunicatorSpec]
"""Answers the communicator for a machine's facts and user."""


def restore(run: Run, spec: Qemu, layer: Path, *, communicator: Choose, savable: bool) -> Machine:
    """See :class:`packerpy.contracts.Checkpoints`."""
    layer = layer.absolute()
    saved = record.read(layer)
    look(layer, saved, fingerprint(run, spec, saved.accelerator))
    clone = Clone(run=run, spec=spec, layer=layer, saved=saved, savable=savable)
    try:
        return clone.start(communicator)
    except BaseException:
        clone.take_back()
        raise


def look(layer: Path, saved: Record, here: str) -> None:
    """Compare a layer with what it was, and its fingerprint with ours.

    :raises LayerForeign: it was saved under another one.
    :raises LayerDamaged: its content has changed.
    """
    if here != saved.fingerprint:
        raise LayerForeign(layer, saved.fingerprint, here)
    for file in saved.files:
        record.verify(layer, file)


@attrs.define(kw_only=True)
class Clone(Acquiring):
    """One QEMU that goes on from a layer."""

    layer: Path
    saved: Record
    savable: bool

    def start(self, communicator: Choose) -> Machine:
        """Acquire everything, load the state, forward a port, let it run."""
        machine = str(uuid.uuid4())
        folder = self.do(Folder(self.run.workdir / machine[:8]))
        chains = enumerate(self.saved.disks)
        disks = tuple(on_layer(self, self.layer, chain, folder, number) for number, chain in chains)
        wiring = self._wiring(machine, folder, disks)
        with self._memory() as memory:
            if memory is not None:
                wiring = attrs.evolve(wiring, memory=inherited(memory), private=False)
            argv = arguments(self.spec, wiring)
            guest = self.do(Launch(id=machine, argv=argv, folder=folder, disks=disks, memory=memory))
        guest.wiring = wiring
        with (self.layer / record.STATE).open("rb") as file:
            state.load(self.run, guest, file.fileno())
        vnc.show(self.run, self.spec.vnc, guest)
        port = ports.forward(guest, self.spec.host_port, self.spec.guest_port)
        guest.qmp.execute("cont")
        return Machine(
            id=machine,
            endpoint=Endpoint(
                host="127.0.0.1",
                port=port,
                user=self.saved.user,
                key_file=self._own(record.KEY, folder),
                host_keys=self.saved.host_keys,
                path=folder / "qga",
                known=self.saved.channel,
            ),
            communicator=communicator(self.saved.facts, self.saved.user),
            facts=self.saved.facts,
        )

    def _wiring(self, machine: str, folder: Path, disks: tuple[Disk, ...]) -> Wiring:
        return Wiring(
            binary=Path(start.find_binary(self.spec)),
            accelerator=self.saved.accelerator,
            id=machine,
            name=self.run.name,
            folder=folder,
            disks=tuple(DiskFile(path=disk.overlays[0]) for disk in disks),
            seed=self._own(record.SEED, folder),
            firmware=self._firmware(folder),
            memory=self.layer / record.RAM,
            private=True,
            incoming=True,
        )

    @contextmanager
    def _memory(self) -> Iterator[int | None]:
        """A copy of the saved memory, in a file that is shared with QEMU and so can be saved again.

        It is filled, and compared with what was saved, within the context: QEMU needs as long to start, and only then
        its content.
        """
        saved = self.saved.ram
        if saved is None:
            raise LayerDamaged(self.layer, "it has no memory")
        descriptor = self.do(MakeMemory(size=saved.size)).fileno() if self.savable else None
        source = self.layer / record.RAM
        with ThreadPoolExecutor(1, "packerpy-memory") as copying:
            wrong = copying.submit(ram.read, source, saved, descriptor, check=self.run.cancellation.check)
            yield descriptor
        if wrong.result() is not None:
            raise LayerDamaged(self.layer, str(wrong.result()))

    def _own(self, name: str, folder: Path) -> Path | None:
        """The clone's copy of a small file; it goes with the clone's folder."""
        if not self.saved.has(name):
            return None
        target = folder / name
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as written, (self.layer / name).open("rb") as file:
            shutil.copyfileobj(file, written)
        return target

    def _firmware(self, folder: Path) -> tuple[Path, Path] | None:
        if not self.saved.has(record.VARIABLES):
            return None
        files = start.firmware_files(self.spec)
        if files is None:
            raise start.firmware_missing(self.spec)
        template = self.layer / record.VARIABLES
        return files[0], self.do(CopyVariables(path=folder / "variables.fd", template=template))
