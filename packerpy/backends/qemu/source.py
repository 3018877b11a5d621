"""The recipe: disk, keys, overlay, process, life; and at the end shutdown and a flat copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import attrs

from packerpy.backends.qemu import bridge, diagnosis, images, origin, start
from packerpy.backends.qemu.errors import DiskMissing, GuestGone
from packerpy.backends.qemu.generalize import generalize
from packerpy.backends.qemu.guest import Guest, find_guest
from packerpy.backends.qemu.installer.checks import wants_key
from packerpy.backends.qemu.installer.prepare import blank_disk, prepare
from packerpy.backends.qemu.origin import Origin
from packerpy.backends.qemu.shutdown import power_off, wait_for_end
from packerpy.backends.qemu.specs import Qemu
from packerpy.backends.qemu.steps.seed import Access, MakeKey, MakeSeed
from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.none import NoCommunicator
from packerpy.communicators.ssh import SSH
from packerpy.contracts import Communicator, CommunicatorSpec, Run, Source
from packerpy.errors import SourceError
from packerpy.kit.ssh_keys import KeyKind
from packerpy.kit.web_server import LOOPBACK
from packerpy.values import Artifact, Endpoint, Machine, Problem

_ADDRESS = 300.0
"""Seconds that a machine on a bridge may take to have an address, where its communicator has no limit of its own."""

HOSTNAME = "packerpy"
"""Of every machine while it is built: a saved one may go on in another build, so it must not know which it is in."""


@attrs.frozen
class QemuSource(Source):
    """Boots and captures machines as one declaration says."""

    spec: Qemu

    def preflight(self, run: Run) -> Iterable[Problem]:
        """Whether firmware, network and local files are there."""
        own = [path for path in (self.spec.uefi_code, self.spec.uefi_variables) if path is not None]
        uefi = self.spec.firmware_kind == "uefi" and all(path.expanduser().is_file() for path in own)
        if uefi and start.firmware_files(self.spec) is None:
            error = start.firmware_missing(self.spec)
            yield Problem(where="firmware", what=error.brief, seen="uefi", fix=error.resolution)
        yield from self._network()
        for path in self.spec.reads():
            if not path.expanduser().exists():
                missing = DiskMissing(path)
                where = self._field_of(path)
                yield Problem(where=where, what=missing.brief, seen=str(path), fix=missing.resolution)

    def _network(self) -> Iterable[Problem]:
        """The bridge, and the web server's interface."""
        asked: dict[str, Callable[[], object]] = {}
        if self.spec.bridge is not None:
            asked["bridge"] = partial(bridge.look, self.spec.bridge)
        if self.spec.http is not None:
            asked["http.interface"] = self.spec.http.listens_at
        for where, look in asked.items():
            try:
                look()
            except SourceError as absent:
                yield Problem(where=where, what=f"{absent.brief}; {absent.details}", fix=absent.resolution)

    def boot(self, run: Run) -> Machine:
        """Start a machine on an overlay and let a port lead to it; waiting for its channel is the communicator's."""
        disk = blank_disk(run, self.spec) if self.spec.installs else origin.boot_disk(run, self.spec)
        user = self._user(disk)
        access = self.access(run, user)
        attempt = partial(
            start.Attempt,
            run=run,
            spec=self.spec,
            disk=disk,
            seed=access.iso if access else None,
            installation=prepare(run, self.spec, access.public_key if access else ""),
        )
        started = start.start(run, self.spec, lambda decided: attempt(accelerator=decided))
        return self.booted(run, started, user, access, self._facts(disk, user, started.accelerator))

    def booted(
        self, run: Run, started: start.Started, user: str, access: Access | None, facts: Mapping[str, str]
    ) -> Machine:
        """The machine of a process that was started."""
        communicator = self.communicator(facts, user)
        host = LOOPBACK
        if self.spec.bridge is not None and not self.spec.mute:
            limit = float(getattr(communicator, "timeout", self.spec.boot_timeout or _ADDRESS))
            host = bridge.wait_for_address(run, started.guest, self.spec.bridge, limit=limit)
        return Machine(
            id=started.guest.id,
            endpoint=Endpoint(
                host=host,
                port=started.port,
                user=user,
                key_file=access.key_file if access else None,
                host_keys=(access.host_key,) if access and access.host_key else (),
                path=started.guest.folder / "qga",
            ),
            communicator=communicator,
            facts=facts,
        )

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Clean up inside, power off, copy the overlay into a disk that stands alone."""
        guest = known(machine)
        if machine.communicator.kind == NoCommunicator.kind:
            wait_for_end(run, self.spec, guest)
        else:
            if self.spec.generalize:
                generalize(channel)
            power_off(run, self.spec, guest, channel)
        outputs = {
            "disk" if number == 0 else f"disk{number}": self._flatten(run, disk.overlays[0], number)
            for number, disk in enumerate(guest.disks)
        }
        flat = images.info(run, outputs["disk"], form=self.spec.format)
        if self.spec.keep_variables and guest.wiring is not None and guest.wiring.firmware is not None:
            outputs["uefi_variables"] = shutil.copyfile(guest.wiring.firmware[1], self._target(run, "-variables.fd"))
        kept = {key: value for key, value in machine.facts.items() if key != "accelerator"}
        return Artifact(
            kind="disk",
            id=outputs["disk"].name,
            files=tuple(outputs.values()),
            outputs={name: str(path) for name, path in outputs.items()},
            facts=kept | {"format": self.spec.format, "virtual_size": str(flat.virtual_size)},
            builder_id="packerpy.qemu",
        )

    def diagnose(self, run: Run, machine: Machine) -> str:
        """Last lines of the console and a picture of the screen."""
        guest = find_guest(machine.id)
        return diagnosis.report(run, guest) if guest is not None else "the machine is gone"

    def died(self, run: Run, machine: Machine) -> str | None:
        """Whether QEMU has ended, or stands still."""
        guest = find_guest(machine.id)
        return guest.died() if guest is not None else "it was stopped"

    def _user(self, disk: Origin) -> str:
        asked = self.spec.user or getattr(self.spec.communicator, "user", None)
        return str(asked or disk.facts.get("user", "root"))

    def access(self, run: Run, user: str) -> Access | None:
        """Keys and first-boot data for one boot, as far as the declaration wants them."""
        folder, kind = run.workdir / "seed", self.spec.seeded
        key: KeyKind = getattr(self.spec.communicator, "made_key", "ed25519")
        if kind is not None:
            return run.do(MakeSeed(folder=folder, kind=kind, user=user, hostname=HOSTNAME, key=key))
        return run.do(MakeKey(folder=folder, key=key)) if wants_key(self.spec) else None

    def _field_of(self, path: Path) -> str:
        """Which field names a file of this host."""
        fields = ("kernel", "initrd", "http", "cd", "floppy")
        named = [(name, given.reads()) for name in fields if (given := getattr(self.spec, name)) is not None]
        named += [(name, [getattr(self.spec, name)]) for name in ("uefi_code", "uefi_variables")]
        named += [(f"cdroms[{index}]", image.reads()) for index, image in enumerate(self.spec.cdroms)]
        return next((name for name, paths in [("iso", self.spec.iso), *named] if path in paths), "disk")

    def communicator(self, facts: Mapping[str, str], user: str) -> CommunicatorSpec:
        """The declared one, else the best for a machine of which these facts are known; with our time limit."""
        declared = self.spec.communicator
        if declared is None:
            # A restored clone answers its agent in a fraction of the time of a login; but files go slower through it.
            declared = GuestAgent(user=user) if facts.get("agent") == "qemu" else SSH()
        if self.spec.boot_timeout is None or not hasattr(declared, "timeout"):
            return declared
        return attrs.evolve(declared, timeout=self.spec.boot_timeout)  # type: ignore[misc]

    def _facts(self, disk: Origin, user: str, decided: str) -> dict[str, str]:
        """What later boots of the captured disk should know; what the base told stays true."""
        known = {key: disk.facts[key] for key in ("seed", "agent", "suite", "distribution") if key in disk.facts}
        if self.spec.seeded in ("packerpy", "nocloud"):
            known["seed"] = self.spec.seeded
        return known | {
            "architecture": self.spec.architecture,
            "firmware": self.spec.firmware_kind,
            "user": user,
            "accelerator": decided,
        }

    def _flatten(self, run: Run, overlay: Path, number: int) -> Path:
        ending = f"-disk{number}" if number else ""
        target = self._target(run, f"{ending}.{self.spec.format}")
        images.flatten(run, overlay, target, form=self.spec.format, compression=self.spec.compression)
        return target

    def _target(self, run: Run, ending: str) -> Path:
        """A file of the artifact."""
        image = run.name.removesuffix(f".{self.spec.kind}")
        return run.staging / f"{image.replace('/', '_')}{ending}"


def known(machine: Machine) -> Guest:
    """The process behind a machine.

    :raises GuestGone: there is none.
    """
    guest = find_guest(machine.id)
    if guest is None:
        raise GuestGone("it is not among the machines that this process started")
    return guest
