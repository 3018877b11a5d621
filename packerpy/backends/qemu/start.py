"""Starting QEMU: with the accelerator that was declared, or with the best that is seen to work."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs

from packerpy.backends.qemu import accelerator, images, ports, vnc
from packerpy.backends.qemu.argv import DiskFile, Wiring, arguments, memory_size
from packerpy.backends.qemu.errors import DiedAtStart, FirmwareMissing, TpmDied
from packerpy.backends.qemu.guest import Disk, Guest
from packerpy.backends.qemu.installer.prepare import Installation
from packerpy.backends.qemu.installer.rounds import wait_for_installer
from packerpy.backends.qemu.life import wait_for_life
from packerpy.backends.qemu.origin import Origin
from packerpy.backends.qemu.specs import Qemu
from packerpy.backends.qemu.steps.launch import Launch
from packerpy.backends.qemu.steps.memory import MakeMemory, inherited
from packerpy.backends.qemu.steps.overlay import CreateOverlay
from packerpy.backends.qemu.steps.tpm import StartTpm, Tpm
from packerpy.backends.qemu.steps.variables import CopyVariables
from packerpy.contracts import Run, Step
from packerpy.declare import Later
from packerpy.kit import process
from packerpy.kit.folder import Folder
from packerpy.kit.qmp import QmpClosed
from packerpy.kit.sizes import parse_size

T = TypeVar("T")

KVM_LIFE = 45.0
"""Seconds in which a guest under kvm must show life: a Debian kernel prints after 2 to 10, boot menus included."""

TCG_LIFE = 240.0
"""The same under emulation, where it took 5 to 30; no life here only means that nothing is remembered."""


@attrs.frozen(kw_only=True)
class Started:
    """A machine that runs.

    :ivar guest: the process.
    :ivar port: of the host's loopback address, that leads to the guest; on a bridge the guest's own.
    :ivar accelerator: what it runs with.
    """

    guest: Guest
    port: int
    accelerator: str


def start(run: Run, spec: Qemu, attempt: Callable[[str], Attempt]) -> Started:
    """Start the machine, and type its boot command.

    :param attempt: answers one that uses the accelerator it is given.

    With ``accelerator="auto"``, and nothing known of this host, a first start with kvm is watched; without a sign of
    life, or when QEMU itself ends, the machine is started again with emulation. That emulation is right for this host
    is remembered only when the same disk shows life with it: a disk that does not boot at all proves nothing. An
    installer may run for long without such a sign, so nothing is learned from it.
    """
    if spec.accelerator != "auto":
        return attempt(spec.accelerator).start()
    verdicts = accelerator.Verdicts(
        cache=run.cache, version=accelerator.qemu_version(find_binary(spec), run.cancellation)
    )
    known = verdicts.read()
    if not accelerator.may_be_kvm(spec.architecture) or known == "tcg":
        return attempt("tcg").start()
    if known == "kvm":
        return attempt("kvm").start()
    with_kvm = attempt("kvm")
    try:
        started = with_kvm.start()
    except (DiedAtStart, QmpClosed) as died:
        why = f"QEMU ended with it: {process.last_lines(died.details or died.brief, 1)}"
    else:
        if spec.installs:
            return started
        sign = wait_for_life(run, started.guest, limit=KVM_LIFE)
        if sign is not None:
            run.say(f"kvm works on this host: {sign}")
            verdicts.remember("kvm")
            return started
        why = started.guest.died() or f"no sign of life within {KVM_LIFE:g} s"
    run.say(f"kvm does not work on this host ({why}); starting again with software emulation, which is slower")
    with_kvm.take_back()
    started = attempt("tcg").start()
    if not spec.installs and wait_for_life(run, started.guest, limit=TCG_LIFE) is not None:
        verdicts.remember("tcg")
    return started


def find_binary(spec: Qemu) -> str:
    """The emulator.

    :raises packerpy.errors.PluginError: it is not installed.
    """
    return process.find_tool(spec.program, package=spec.platform.package, needed_for="machines in QEMU")


def firmware_files(spec: Qemu) -> tuple[Path, Path] | None:
    """UEFI's code and empty variables on this host; ``None`` when they are not installed."""
    known = spec.platform.secure if spec.secure_boot else spec.platform.uefi
    own = [path and path.expanduser().absolute() for path in (spec.uefi_code, spec.uefi_variables)]
    pairs = ((own[0] or Path(code), own[1] or Path(variables)) for code, variables in known)
    return next((pair for pair in pairs if all(path.is_file() for path in pair)), None)


def firmware_missing(spec: Qemu) -> FirmwareMissing:
    """The error for firmware that is not there."""
    return FirmwareMissing(spec.architecture, spec.platform.firmware_package, secure=spec.secure_boot)


def overlay_path(folder: Path, number: int) -> Path:
    """For a new overlay of a disk; no other overlay has its name, so any number of them may lie in one folder."""
    return folder / f"disk{number}-{uuid.uuid4().hex[:12]}.qcow2"


@attrs.define(kw_only=True)
class Acquiring:
    """Acquires by steps of a run, and can give it all back at once."""

    run: Run
    spec: Qemu
    _steps: list[Step[Any]] = attrs.field(factory=list, init=False)

    def do(self, step: Step[T]) -> T:
        """Acquire one thing."""
        made = self.run.do(step)
        self._steps.append(step)
        return made

    def give_back(self, step: Step[Any]) -> None:
        """Give one thing back."""
        self._steps.remove(step)
        self.run.release(step)

    def take_back(self) -> None:
        """Give everything back, the last thing first."""
        while self._steps:
            self.run.release(self._steps.pop())


@attrs.define(kw_only=True)
class Attempt(Acquiring):
    """One QEMU with fresh overlays.

    :ivar installation: what it is given beside its disks; by default nothing.
    :ivar variables: of the firmware, to start from; by default empty ones.
    """

    disk: Origin | None
    seed: Path | None
    accelerator: str
    installation: Installation = attrs.field(factory=Installation)
    variables: Path | None = None

    def start(self) -> Started:
        """Acquire everything, forward the port, let it run, type the boot command.

        Where a kernel is given, all of that happens to the installer, and then the installed disk is started.
        """
        machine = str(uuid.uuid4())
        size = memory_size(self.spec)
        memory = self.do(MakeMemory(size=size)).fileno() if self.spec.saves_live else None
        folder = self.do(Folder(self.run.workdir / machine[:8]))
        disks = self.disks(folder)
        tpm = self._tpm(folder / "tpm", folder)
        wiring = Wiring(
            binary=Path(find_binary(self.spec)),
            accelerator=self.accelerator,
            id=machine,
            name=self.run.name,
            folder=folder,
            disks=tuple(DiskFile(path=disk.overlays[0]) for disk in disks),
            seed=self.seed,
            cdroms=self.installation.cdroms,
            floppy=self.installation.floppy,
            kernel=self.installation.kernel,
            firmware=self._firmware(folder),
            tpm=None if tpm is None else tpm.socket,
            memory=None if memory is None else inherited(memory),
        )
        launch, started = self._launch(wiring, disks, memory, tpm)
        self.installation.drive(self.run, started.guest)
        if wiring.kernel is None or not wait_for_installer(self.run, self.spec, started.guest):
            return started
        self.give_back(launch)
        machine = str(uuid.uuid4())
        place = self.do(Folder(self.run.workdir / machine[:8]))
        tpm = self._tpm(folder / "tpm", place)
        again = attrs.evolve(wiring, id=machine, kernel=None, folder=place, tpm=None if tpm is None else tpm.socket)
        return self._launch(again, disks, None, tpm)[1]

    def _tpm(self, kept: Path, folder: Path) -> Tpm | None:
        """A TPM whose state is in one folder, for a machine in another."""
        if self.spec.tpm is None:
            return None
        return self.do(StartTpm(folder=kept, socket=folder / "tpm.sock", version=self.spec.tpm))

    def _launch(
        self, wiring: Wiring, disks: tuple[Disk, ...], memory: int | None, tpm: Tpm | None
    ) -> tuple[Launch, Started]:
        argv = arguments(self.spec, wiring)
        launch = Launch(id=wiring.id, argv=argv, folder=wiring.folder, disks=disks, memory=memory)
        try:
            guest = self.do(launch)
        except DiedAtStart as error:
            if tpm is not None and (why := tpm.failed()):
                raise TpmDied(why) from error
            raise
        guest.wiring = wiring
        vnc.show(self.run, self.spec.vnc, guest)
        port = self.spec.guest_port
        if self.spec.bridge is None:
            port = ports.forward(guest, self.spec.host_port, self.spec.guest_port)
        guest.qmp.execute("cont")
        return launch, Started(guest=guest, port=port, accelerator=self.accelerator)

    def disks(self, folder: Path) -> tuple[Disk, ...]:
        """New overlays for all disks."""
        assert self.disk is not None  # noqa: S101  only who overrides this has none
        size = self.spec.disk_size
        grown = None if size is None or isinstance(size, Later) else max(parse_size(size), self.disk.virtual_size)
        boot = self._disk(folder, 0, DiskFile(path=self.disk.path, format=self.disk.format, writable=False), grown)
        return (boot, *(self._extra(folder, number, disk) for number, disk in enumerate(self.spec.extra_disks, 1)))

    def _extra(self, folder: Path, number: int, disk: str | int | Path) -> Disk:
        if not isinstance(disk, Path):
            return self._disk(folder, number, None, parse_size(disk))
        path = disk.expanduser().absolute()
        base = DiskFile(path=path, format=images.info(self.run, path).format, writable=False)
        return self._disk(folder, number, base, None)

    def _disk(self, folder: Path, number: int, base: DiskFile | None, size: int | None) -> Disk:
        path = overlay_path(folder, number)
        step = CreateOverlay(path=path, size=size)
        if base is not None:
            step = attrs.evolve(step, backing=base.path, backing_format=base.format)
        overlay = self.do(step)
        return Disk(overlays=(overlay,), base=base, node=f"disk{number}")

    def _firmware(self, folder: Path) -> tuple[Path, Path] | None:
        if self.spec.firmware_kind != "uefi":
            return None
        files = firmware_files(self.spec)
        if files is None:
            raise firmware_missing(self.spec)
        code, template = files
        return code, self.do(CopyVariables(path=folder / "variables.fd", template=self.variables or template))
