"""QEMU's command line: a pure function of the declaration and of where things lie."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from packerpy.declare import Later
from packerpy.errors import DeclarationError
from packerpy.kit.sizes import parse_size

if TYPE_CHECKING:
    from packerpy.backends.qemu.specs import Qemu

AGENT_PORT = "org.qemu.guest_agent.0"
"""The name under which the guest's agent looks for its serial port."""

NETWORK = "net0"


@attrs.frozen(kw_only=True)
class DiskFile:
    """A disk image as QEMU is given it.

    :ivar path: the file.
    :ivar format: ``qcow2`` or ``raw``.
    :ivar writable: whether the guest may write.
    """

    path: Path
    format: str = "qcow2"
    writable: bool = True


@attrs.frozen(kw_only=True)
class Kernel:
    """A Linux kernel that QEMU starts itself.

    :ivar image: the file.
    :ivar initrd: its initial file system.
    :ivar arguments: its command line.
    """

    image: Path
    initrd: Path | None = None
    arguments: str = ""


@attrs.frozen(kw_only=True)
class Wiring:
    """Where the things lie that one QEMU process is connected to.

    :ivar binary: the emulator.
    :ivar accelerator: the decided one: ``kvm``, ``tcg``, …
    :ivar id: a fresh UUID; also the mark by which the process is found after a crash.
    :ivar folder: private folder of this process: its sockets and logs.
    :ivar disks: the boot disk, then the extra ones.
    :ivar seed: the first-boot data.
    :ivar cdroms: images in CD-ROM drives; booted in this order while the boot disk cannot be.
    :ivar floppy: the image in the floppy drive.
    :ivar kernel: started in place of what the disks hold; the machine ends when it reboots.
    :ivar firmware: UEFI's code and this machine's copy of its variables.
    :ivar tpm: the socket of its TPM.
    :ivar memory: the file that is the guest's memory; ``None`` is memory of the process.
    :ivar private: what the guest writes does not go to that file.
    :ivar incoming: the machine waits to be told where its saved state is.
    """

    binary: Path
    accelerator: str
    id: str
    name: str
    folder: Path
    disks: tuple[DiskFile, ...]
    seed: Path | None = None
    cdroms: tuple[Path, ...] = ()
    floppy: Path | None = None
    kernel: Kernel | None = None
    firmware: tuple[Path, Path] | None = None
    tpm: Path | None = None
    memory: Path | None = None
    private: bool = False
    incoming: bool = False

    def turn_of_disk(self, number: int) -> int:
        """When a disk is booted: the first one before all CDs, the others after them. A kernel goes before all."""
        return (self.kernel is not None) + number + (len(self.cdroms) if number else 0)

    def turn_of_cdrom(self, number: int) -> int:
        """When a CD is booted."""
        return (self.kernel is not None) + 1 + number

    @property
    def qmp(self) -> Path:
        """The socket on which we listen for the machine protocol."""
        return self.folder / "qmp"

    @property
    def console(self) -> Path:
        """The socket on which we listen for the serial console."""
        return self.folder / "tty"

    @property
    def console_log(self) -> Path:
        """What the console printed."""
        return self.folder / "console.log"

    @property
    def vnc(self) -> Path:
        """The socket on which QEMU shows the screen, where it has no port."""
        return self.folder / "vnc"

    @property
    def agent(self) -> Path:
        """The socket on which QEMU offers the guest agent."""
        return self.folder / "qga"


def arguments(spec: Qemu, wiring: Wiring) -> tuple[str, ...]:
    """The command line; the machine it starts is paused (``-S``), without a forwarded port."""
    return (
        str(wiring.binary),
        *_machine(spec, wiring),
        *_kernel(wiring.kernel),
        *_channels(wiring),
        *_disks(spec, wiring),
        *_removable(spec, wiring),
        *_devices(spec, wiring.id),
        *_tpm(spec, wiring.tpm),
        *spec.extra_args,
    )


def mac_of(machine: str) -> str:
    """The MAC of a machine's network card: QEMU's range, and random, because QEMU gives the same to all machines."""
    return "52:54:00:" + uuid.UUID(machine).bytes[-3:].hex(":")


def cpu_model(spec: Qemu, accelerator: str) -> str:
    """The declared processor, or the best for the accelerator.

    Which that is under emulation was measured, see :class:`packerpy.backends.qemu.architectures.Platform`.
    """
    if spec.cpu_model is not None:
        return spec.cpu_model
    return spec.platform.tcg_cpu if accelerator == "tcg" else "host"


_TRANSLATED = 128
"""MiB of translated code that emulation keeps. QEMU's own default, up to 1 GiB, makes what follows a restart of the
guest several times slower: each write to memory that held code before looks through the translations of its page."""


def accelerator_option(accelerator: str, cpus: int) -> str:
    """How the accelerator is asked for; emulation gets a host thread for each processor."""
    if accelerator != "tcg":
        return accelerator
    return f"tcg,thread={'multi' if cpus > 1 else 'single'},tb-size={_TRANSLATED}"


def _machine(spec: Qemu, wiring: Wiring) -> list[str]:
    # The memory is an object of its own so that it can be a file.
    machine = f"{spec.machine_type},memory-backend=ram"
    if wiring.firmware is not None:
        machine += ",pflash0=firmware,pflash1=variables"
    if spec.secure_boot:
        machine += ",smm=on"
    options = [
        *("-name", f"guest=packerpy-{_commas(wiring.name)}", "-uuid", wiring.id),
        *("-no-user-config", "-nodefaults", "-display", "none", "-S"),
        *(("-vnc", spec.vnc.argument(wiring.vnc)) if spec.vnc is not None else ()),
        *("-machine", machine, "-accel", accelerator_option(wiring.accelerator, spec.cpus)),
        *("-cpu", cpu_model(spec, wiring.accelerator), "-smp", _processors(spec)),
        *("-m", f"{memory_size(spec)}B", "-object", _memory(spec, wiring)),
        *(("-incoming", "defer") if wiring.incoming else ()),
        *("-boot", "menu=off,strict=on"),
    ]
    if wiring.firmware is not None:
        code, variables = wiring.firmware
        options += _blockdev("firmware", code, "raw", writable=False)
        options += _blockdev("variables", variables, "raw", writable=True)
    if spec.secure_boot:
        # The guest's system may write the variables only by way of the firmware, in system management mode.
        options += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return options


def _processors(spec: Qemu) -> str:
    if spec.topology is None:
        return str(spec.cpus)
    sockets, cores, threads = spec.topology
    return f"{spec.cpus},sockets={sockets},cores={cores},threads={threads}"


def _kernel(kernel: Kernel | None) -> list[str]:
    if kernel is None:
        return []
    initrd = ["-initrd", str(kernel.initrd)] if kernel.initrd is not None else []
    append = ["-append", kernel.arguments] if kernel.arguments else []
    return ["-kernel", str(kernel.image), *initrd, *append, "-no-reboot"]


def memory_size(spec: Qemu) -> int:
    """The guest's memory in bytes.

    :raises DeclarationError: nobody gave it a value.
    """
    if isinstance(spec.memory, Later):
        raise DeclarationError(f"memory is still {spec.memory.shown}, without a value")
    return parse_size(spec.memory)


def _memory(spec: Qemu, wiring: Wiring) -> str:
    size = memory_size(spec)
    if wiring.memory is None:
        return f"memory-backend-ram,id=ram,size={size}"
    share = "off" if wiring.private else "on"
    return f"memory-backend-file,id=ram,size={size},mem-path={_commas(wiring.memory)},share={share}"


def _channels(wiring: Wiring) -> list[str]:
    console = f"socket,id=console,path={_commas(wiring.console)},logfile={_commas(wiring.console_log)},logappend=off"
    return [
        *("-chardev", f"socket,id=qmp,path={_commas(wiring.qmp)}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", console, "-serial", "chardev:console"),
        *("-chardev", f"socket,id=agent,path={_commas(wiring.agent)},server=on,wait=off"),
        *("-device", "virtio-serial-pci,id=ports"),
        *("-device", f"virtserialport,bus=ports.0,chardev=agent,name={AGENT_PORT}"),
    ]


def _disks(spec: Qemu, wiring: Wiring) -> list[str]:
    options: list[str] = []
    interface = spec.disk_interface
    if "virtio-scsi" in (interface, spec.cdrom_interface if wiring.cdroms else ""):
        options += ["-device", "virtio-scsi-pci,id=scsi"]
    if interface == "sata" and not _is_q35(spec):
        options += ["-device", "ahci,id=sata"]
    for number, disk in enumerate(wiring.disks):
        options += _blockdev(f"disk{number}", disk.path, disk.format, writable=disk.writable)
        options += [
            "-device",
            f"{_disk_device(spec, number)},drive=disk{number},bootindex={wiring.turn_of_disk(number)}",
        ]
    if wiring.seed is not None:
        # Always virtio: small cloud kernels have no driver for a CD-ROM drive.
        options += _blockdev("seed", wiring.seed, "raw", writable=False)
        options += ["-device", "virtio-blk-pci,drive=seed"]
    return options


def _removable(spec: Qemu, wiring: Wiring) -> list[str]:
    options: list[str] = []
    taken = (
        len(wiring.disks) if spec.disk_interface == "ide" or (spec.disk_interface == "sata" and _is_q35(spec)) else 0
    )
    for number, image in enumerate(wiring.cdroms):
        device = _cdrom_device(spec, taken + number)
        options += _blockdev(f"cd{number}", image, "raw", writable=False)
        options += ["-device", f"{device},drive=cd{number},bootindex={wiring.turn_of_cdrom(number)}"]
    if wiring.floppy is not None:
        options += _blockdev("floppy", wiring.floppy, "raw", writable=True)
        # q35 has no floppy controller of its own, pc has.
        options += ["-device", "isa-fdc"] if _is_q35(spec) else []
        options += ["-device", "floppy,drive=floppy,drive-type=144"]
    return options


def _cdrom_device(spec: Qemu, slot: int) -> str:
    if spec.cdrom_interface == "virtio":
        return "virtio-blk-pci"
    if spec.cdrom_interface == "virtio-scsi":
        return "scsi-cd,bus=scsi.0"
    return f"ide-cd,bus=ide.{slot}" if _is_q35(spec) else f"ide-cd,bus=ide.{slot // 2},unit={slot % 2}"


def _is_q35(spec: Qemu) -> bool:
    """Whether the machine's own disk controller is SATA (its buses are called ide.N all the same)."""
    return spec.machine_type.startswith(("q35", "pc-q35"))


def _disk_device(spec: Qemu, number: int) -> str:
    if spec.disk_interface == "virtio":
        return "virtio-blk-pci"
    if spec.disk_interface == "virtio-scsi":
        return "scsi-hd,bus=scsi.0"
    if spec.disk_interface == "nvme":
        return f"nvme,serial=packerpy{number}"
    if _is_q35(spec):
        return f"ide-hd,bus=ide.{number}"
    if spec.disk_interface == "sata":
        return f"ide-hd,bus=sata.{number}"
    return f"ide-hd,bus=ide.{number // 2},unit={number % 2}"


def _network(spec: Qemu, machine: str) -> list[str]:
    # No boot ROM: the guest never boots from the network, and loading it costs time under emulation.
    card = f"{spec.network_device},netdev={NETWORK},romfile="
    if spec.bridge is None:
        return ["-netdev", f"user,id={NETWORK}", "-device", card]
    return ["-netdev", f"bridge,id={NETWORK},br={spec.bridge}", "-device", f"{card},mac={mac_of(machine)}"]


def _devices(spec: Qemu, machine: str) -> list[str]:
    display = "VGA" if spec.architecture == "x86_64" else "virtio-gpu-pci"
    return [
        *_network(spec, machine),
        *("-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random"),
        # A guest that is cloned or restored sees this number change and stirs its random pool.
        *(("-device", "vmgenid,guid=auto") if spec.architecture == "x86_64" else ()),
        *("-device", display),
        # The guest tells which memory it has no use for any more, so that a saved machine does not hold it.
        *(("-device", "virtio-balloon-pci,free-page-reporting=on") if spec.saves_live else ()),
    ]


def _tpm(spec: Qemu, socket: Path | None) -> list[str]:
    if socket is None:
        return []
    return [
        *("-chardev", f"socket,id=tpm,path={_commas(socket)}", "-tpmdev", "emulator,id=tpm,chardev=tpm"),
        *("-device", f"{spec.tpm_model},tpmdev=tpm"),
    ]


def _blockdev(node: str, path: Path, form: str, *, writable: bool) -> list[str]:
    return [word for item in nodes(node, path, form, writable=writable) for word in ("-blockdev", json.dumps(item))]


def nodes(node: str, path: Path, form: str, *, writable: bool) -> list[dict[str, Any]]:
    """A file and, above it, its format. Flushes are left out: what is written is thrown away, or copied and synced."""
    file: dict[str, Any] = {
        "driver": "file",
        "node-name": f"{node}-file" if form != "raw" else node,
        "filename": str(path),
        "read-only": not writable,
        "cache": {"no-flush": True},
        "discard": "unmap",
    }
    made = [file]
    if form != "raw":
        made.append(
            {
                "driver": form,
                "node-name": node,
                "file": file["node-name"],
                "read-only": not writable,
                "cache": {"no-flush": True},
                "discard": "unmap",
            }
        )
    return made


def _commas(value: object) -> str:
    """QEMU's way to write a comma inside an option."""
    return str(value).replace(",", ",,")
