"""From a running machine to a layer.

While the guest stands still, only what it could change is taken: the state of its devices, what has changed of its
memory since a first copy, and the place to which it writes. All else is done when it runs again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from packerpy.backends.qemu.checkpoints import disks, ram, record, state
from packerpy.backends.qemu.checkpoints.fingerprint import disk_fingerprint, fingerprint
from packerpy.backends.qemu.checkpoints.record import Record, Stored
from packerpy.backends.qemu.checkpoints.rest import at_rest
from packerpy.backends.qemu.errors import NotSaved
from packerpy.backends.qemu.guest import Disk, Guest
from packerpy.backends.qemu.specs import Qemu
from packerpy.contracts import Communicator, Finish, Run, SupportsResume
from packerpy.errors import SourceError
from packerpy.kit.publish import full_disk_named, sync_folder
from packerpy.kit.qmp import QmpError
from packerpy.kit.sizes import show_size
from packerpy.values import Machine


def save(run: Run, spec: Qemu, guest: Guest, machine: Machine, channel: Communicator, layer: Path) -> Finish:
    """See :class:`packerpy.contracts.Checkpoints`."""
    if guest.memory is None or guest.wiring is None:
        raise NotSaved("its memory is not a file of its own")
    if not layer.is_dir() or any(layer.iterdir()):
        raise NotSaved(f"{layer} is not an empty folder")
    layer.chmod(0o700)
    seed, accelerator, print_ = (
        guest.wiring.seed,
        guest.wiring.accelerator,
        fingerprint(run, spec, guest.wiring.accelerator),
    )
    known = channel.known() if isinstance(channel, SupportsResume) else {}
    with full_disk_named(layer), _emptied_on_failure(layer):
        grown = disks.prepare(run, guest)
        copied = ram.write(guest.memory, layer / record.RAM, check=run.cancellation.check)
        with _paused(guest):
            began = time.monotonic()
            frozen = disks.switch(guest, grown)
            _device_state(run, guest, layer)
            _variables(guest, layer)
            extents = ram.correct(guest.memory, layer / record.RAM, copied, check=run.cancellation.check)
        stood = time.monotonic() - began
    used = show_size(sum(length for _, length in extents))
    run.say(f"saved the running machine with {used} of memory; it stood still for {stood:.2f} s")

    def finish() -> None:
        with full_disk_named(layer), _emptied_on_failure(layer):
            for name, source in ((record.KEY, machine.endpoint.key_file), (record.SEED, seed)):
                if source is not None:
                    _copy(source, layer / name)
            memory = ram.finish(layer / record.RAM, extents, check=run.cancellation.check)
            _complete(run, layer, machine, frozen, memory, print_, accelerator, known)

    return finish


def save_disks(run: Run, spec: Qemu, guest: Guest, machine: Machine, channel: Communicator, layer: Path) -> Finish:
    """Save only a machine's disks; see :class:`packerpy.contracts.Checkpoints`."""
    with full_disk_named(layer), _emptied_on_failure(layer):
        grown = disks.prepare(run, guest)
        with at_rest(channel), _paused(guest):
            frozen = disks.switch(guest, grown)
            _variables(guest, layer)

    def finish() -> None:
        with full_disk_named(layer), _emptied_on_failure(layer):
            # What a seed lets in is made anew with each boot; what an installer was told is on the disk for good.
            if spec.seeded is None and machine.endpoint.key_file is not None:
                _copy(machine.endpoint.key_file, layer / record.KEY)
            _complete(run, layer, machine, frozen, None, disk_fingerprint(spec), machine.facts["accelerator"], {})

    return finish


def _complete(
    run: Run,
    layer: Path,
    machine: Machine,
    frozen: Sequence[Disk],
    memory: ram.Ram | None,
    print_: str,
    accelerator: str,
    known: Mapping[str, str],
) -> None:
    """Put all on the disk, and at last the record, which makes the layer a layer."""
    told = Record(
        fingerprint=print_,
        accelerator=accelerator,
        disks=tuple(disks.keep(run, disk, layer, number) for number, disk in enumerate(frozen)),
        ram=memory,
        files=tuple(_small_files(layer)),
        user=machine.endpoint.user,
        host_keys=machine.endpoint.host_keys,
        facts=machine.facts,
        channel=known,
    )
    record.write(layer, told)
    sync_folder(layer)


@contextmanager
def _paused(guest: Guest) -> Iterator[None]:
    """The guest stands still, and goes on whatever happens."""
    guest.qmp.execute("stop")
    try:
        yield
    except BaseException:
        with suppress(QmpError):
            guest.qmp.execute("migrate_cancel")
        with suppress(QmpError):
            guest.qmp.execute("cont")
        raise
    guest.qmp.execute("cont")


@contextmanager
def _emptied_on_failure(layer: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in layer.iterdir():
            path.unlink(missing_ok=True)
        raise


def _device_state(run: Run, guest: Guest, layer: Path) -> None:
    descriptor = os.open(layer / record.STATE, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        state.save(run, guest, descriptor)
    except SourceError as error:
        raise NotSaved("\n".join(filter(None, (error.brief, error.details)))) from error
    finally:
        os.close(descriptor)


def _variables(guest: Guest, layer: Path) -> None:
    """The firmware's, which the guest can change."""
    if guest.wiring is not None and guest.wiring.firmware is not None:
        _copy(guest.wiring.firmware[1], layer / record.VARIABLES)


def _small_files(layer: Path) -> Iterator[Stored]:
    """All but memory and disks."""
    for name in (record.STATE, record.VARIABLES, record.KEY, record.SEED):
        if (layer / name).exists():
            record.sync(layer / name)
            yield record.stored(layer / name)


def _copy(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as written, source.open("rb") as file:
        shutil.copyfileobj(file, written)
