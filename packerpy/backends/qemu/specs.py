"""What a user says of a machine in QEMU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Literal

import attrs

from packerpy.backends.qemu import checks
from packerpy.backends.qemu.architectures import PLATFORMS, SWTPM, Architecture, Firmware, Platform, TpmVersion
from packerpy.backends.qemu.support import SUPPORT
from packerpy.backends.qemu.vnc import Vnc, vnc
from packerpy.contracts import CommunicatorSpec, Source, SourceSpec
from packerpy.declare import Later, Output
from packerpy.declare.build_values import GIVEN
from packerpy.declare.declaration import AS_ITEM, FROM_CALLER, declaration
from packerpy.declare.fields import Place, known, optional_path
from packerpy.declare.values import Text
from packerpy.kit import floppy
from packerpy.kit.boot_steps import BootStep, boot_steps, typed
from packerpy.kit.download import shown
from packerpy.kit.media import Media, media
from packerpy.kit.places import Download, download, downloads, places
from packerpy.kit.sizes import parse_size
from packerpy.kit.sums import Sums, sums_of
from packerpy.kit.web_server import WebServer, port_range, web_server
from packerpy.values import Artifact, HostTool, Problem, Resources, Support

Accelerator = Literal["auto", "kvm", "tcg", "hvf", "whpx", "xen"]
DiskInterface = Literal["virtio", "virtio-scsi", "nvme", "sata", "ide"]
CdromInterface = Literal["ide", "virtio-scsi", "virtio"]
Seed = Literal["auto", "packerpy", "nocloud"]
Format = Literal["qcow2", "raw"]
Layers = Literal["live", "disk", "off"]
Shutdown = Literal["normal", "fast"]

_CAPTURE = {"key": "capture"}
"""Of fields that only matter when the machine is captured: changing one does not boot the machine again."""
DiskOrigin = Output | Artifact | Path | str | Later

INSTALL_SIZE = "40 GiB"
"""Of the disk that an installer fills: Packer's default. It takes room only as it is written to."""

_OVERHEAD = 160 << 20
"""Bytes that QEMU itself took beside the guest's memory (resident size of a q35 machine with 2 CPUs under tcg)."""


def _origin(value: DiskOrigin | None) -> DiskOrigin | None:
    """A text without a scheme is a path."""
    return Path(value) if isinstance(value, str) and "://" not in value else value


def _extra(value: Iterable[str | int | Path]) -> tuple[str | int | Path, ...]:
    return tuple(value)


def _topology(value: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value)


def _words(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@declaration(kw_only=True)
class Qemu(SourceSpec):
    """A machine in QEMU, started from a disk image that is never written to, or from an installer's ISO.

    :param disk: what it boots from: another image's output, an artifact, a file, or a URL. Left out where ``iso`` is
        given, or where the finished image takes its place (``Image(test_on=…)``).
    :param iso: an installer's medium in place of ``disk``: a file, a URL, or several that are tried in order. The
        machine gets an empty disk; once something on it can be booted, that is booted, so the installer may reboot. A
        communicator must be able to log in to what was installed; nothing is seeded unless ``seed`` says so.
    :param checksum: of a file or URL: ``sha256:…``; required for a URL, where ``none`` says that it cannot be known.
        For an ``iso`` also ``file:`` and the address of a file of checksums, or :class:`packerpy.Sums` with a
        signature.
    :param kernel: an installer's Linux kernel, started by QEMU itself, with or without an ``iso``: a file, or
        :class:`packerpy.Download`. It is for the first start only. When that system reboots or powers itself off,
        the machine is started again without it, from the disk that it has filled.
    :param initrd: the initial file system of that kernel.
    :param kernel_args: its arguments; texts are joined as they are. ``<http>`` and the like stand for the same as in
        ``boot_command``; secrets are refused, because arguments can be read by everybody.
    :param install_timeout: seconds that the system started by ``kernel`` may take.
    :param boot_command: typed on the machine's keyboard (US layout) after its start, in Packer's language and more;
        see :mod:`packerpy.kit.boot_command`. Texts are joined; a secret is typed as it is.
    :param boot_steps: in place of ``boot_command``: pairs of what is typed and what it is for, which is told when its
        turn comes: ``[("<esc><wait>", "leave the menu"), ("linux<enter>", "start")]``.
    :param boot_wait: seconds from power-on until typing begins; Packer's default of 10.
    :param key_interval: seconds from key to key; Packer's default of 0.1.
    :param http: a folder, or name → content, for the guest to fetch from ``http://<http>/…``. The server listens on the
        host's loopback address and ends with the build's machine; :class:`packerpy.WebServer` chooses another address
        or its port.
    :param cd: files for a CD-ROM drive: :class:`packerpy.Media`, name → content, or paths. Its label is ``packerpy``
        unless told otherwise.
    :param floppy: likewise for a floppy of 1.44 MB.
    :param cdroms: further images for CD-ROM drives, such as drivers and guest tools: paths, or
        :class:`packerpy.Download`.
    :param cdrom_interface: the bus of all CD-ROM drives: ``ide`` (SATA, on a machine that has it), ``virtio-scsi``, or
        ``virtio``, which is a disk that cannot be written to rather than a drive.
    :param memory: of the guest, in bytes or as text.
    :param cpus: of the guest.
    :param topology: how its processors are shown: sockets, cores in each, threads in each core; their product is
        ``cpus``. By default QEMU decides.
    :param cpu_model: QEMU's name of the processor; by default ``host`` under kvm, under emulation what was
        measured to be fast (see :class:`packerpy.backends.qemu.architectures.Platform`).
    :param architecture: of the guest; only x86_64 was run by us.
    :param machine: QEMU's machine type; by default ``q35`` (``virt`` on aarch64).
    :param firmware: ``bios`` or ``uefi``; by default the architecture's first.
    :param secure_boot: UEFI starts only what Microsoft has signed, as the first programs (shims) of distributions.
        It needs ``firmware="uefi"`` and a machine of type ``q35``.
    :param uefi_code: UEFI firmware in place of the host's own: a file, as ``OVMF_CODE_4M.fd``.
    :param uefi_variables: the variables that go with it, or that the host's firmware is to start with (such as own keys
        for Secure Boot): a file, which is copied, as ``OVMF_VARS_4M.fd``.
    :param keep_variables: put the firmware's variables, as the machine leaves them, beside the captured disk, as output
        ``uefi_variables``.
    :param tpm: the version of a virtual TPM, ``2.0`` or ``1.2``. It is new whenever a machine starts from a disk, and
        no part of the image.
    :param tpm_device: QEMU's model of it; by default ``tpm-tis`` (``tpm-tis-device`` on aarch64).
    :param accelerator: ``auto`` uses kvm where a guest was seen to run with it, else emulation (tcg).
    :param disk_interface: the bus of all disks.
    :param disk_size: grows the boot disk to this size; by default it stays as it is. Of the empty disk for an ``iso``
        it is the size, by default 40 GiB.
    :param extra_disks: further disks: a size makes an empty one, a path gives an overlay on that image. They are
        captured too, as outputs ``disk1``, ``disk2``, …
    :param network_device: QEMU's model of the network card.
    :param bridge: a bridge of the host that the network card is connected to, in place of QEMU's own network behind the
        host. The machine is reached at the address that it gets there from a DHCP server on this host; so is the web
        server of ``http``, at the bridge's. QEMU's helper must be allowed to use it (``/etc/qemu/bridge.conf``).
    :param host_port: the port of the host's loopback address, or a range ``(first, last)``, that leads to the guest's
        ``guest_port``; by default the kernel chooses a free one.
    :param guest_port: where the guest listens.
    :param vnc: show the screen meanwhile: ``True``, or :class:`packerpy.backends.qemu.vnc.Vnc`.
    :param binary: the emulator, in place of ``qemu-system-x86_64``: a name or a path, as ``/usr/libexec/qemu-kvm``.
    :param extra_args: added to QEMU's command line as they are.
    :param user: login name; by default the one that the disk's artifact tells, else root.
    :param communicator: how to talk to it; by default :class:`packerpy.GuestAgent` where the disk's artifact tells that
        the guest has QEMU's agent (images made by ``Bootstrap``, and what was built on them), else SSH.
    :param seed: which first-boot data the guest is given on a small second disk: ``packerpy`` for our own base images,
        ``nocloud`` for cloud-init, ``auto`` for both, ``None`` for no such disk (then the communicator needs a
        password or key of its own, and the host key is not known beforehand).
    :param boot_timeout: seconds from power-on until the guest must answer; overrides the communicator's own.
    :param generalize: before the machine is captured, remove what belongs to this one boot (machine id, generated host
        keys, random seed, logs).
    :param shutdown_command: run to power off; by default ``poweroff``, and where that fails the ACPI power button. An
        empty text is the power button at once.
    :param shutdown: ``fast`` stops no service: what was written is put on the disk, file systems are made read-only at
        once, and Linux powers off. Their journals are clean, but a service that would write something when it is
        stopped does not. It is not used where ``shutdown_command`` is given.
    :param shutdown_timeout: seconds until the machine must be off; it is an error if it is not.
    :param format: of the artifact.
    :param layers: what is saved after each step, so that a later build goes on from there: ``live``, the default, is
        the running machine with its memory; ``disk`` only its disks, from which a later build boots again; ``off`` is
        nothing. QEMU cannot save the state of an NVMe disk, so there ``live`` means ``disk``; likewise with an
        installer and with media, for what is booted again from a saved disk needs them no more, with a TPM,
        and on a bridge. Nothing is saved of a machine without a communicator.
    :param compress: compress a qcow2; ``True`` is ``zstd``, which needs QEMU 5.1 or newer to be read, else ``zlib``. A
        Debian base of 430 MiB became 156 MiB by 3 s of processor time with zstd, 160 MiB by 21 s with zlib.
    """

    kind: ClassVar[str] = "qemu"
    support: ClassVar[tuple[Support, ...]] = SUPPORT

    disk: DiskOrigin | None = attrs.field(default=None, converter=_origin)
    iso: tuple[Place, ...] = attrs.field(default=(), converter=places)
    checksum: str | Later | Sums | None = None
    kernel: Download | None = attrs.field(default=None, converter=download)
    initrd: Download | None = attrs.field(default=None, converter=download)
    kernel_args: tuple[Text, ...] = attrs.field(default=(), converter=typed, metadata=AS_ITEM)
    install_timeout: float = attrs.field(default=7200.0, metadata={"key": False})
    boot_command: tuple[Text, ...] = attrs.field(default=(), converter=typed, metadata=AS_ITEM)
    boot_steps: tuple[BootStep, ...] = attrs.field(default=(), converter=boot_steps)
    boot_wait: float = 10.0
    key_interval: float = 0.1
    http: WebServer | None = attrs.field(default=None, converter=web_server)
    cd: Media | None = attrs.field(default=None, converter=media)
    floppy: Media | None = attrs.field(default=None, converter=media)
    cdroms: tuple[Download, ...] = attrs.field(default=(), converter=downloads)
    cdrom_interface: CdromInterface = "ide"
    memory: str | int | Later = "1 GiB"
    cpus: int = 2
    topology: tuple[int, int, int] | None = attrs.field(default=None, converter=_topology)
    cpu_model: str | None = None
    architecture: Architecture = "x86_64"
    machine: str | None = None
    firmware: Firmware | None = None
    secure_boot: bool = False
    uefi_code: Path | None = attrs.field(default=None, converter=optional_path)
    uefi_variables: Path | None = attrs.field(default=None, converter=optional_path)
    keep_variables: bool = attrs.field(default=False, metadata=_CAPTURE)
    tpm: TpmVersion | None = None
    tpm_device: str | None = None
    accelerator: Accelerator = "auto"
    disk_interface: DiskInterface = "virtio"
    disk_size: str | int | Later | None = None
    extra_disks: tuple[str | int | Path, ...] = attrs.field(default=(), converter=_extra)
    network_device: str = "virtio-net-pci"
    bridge: str | None = None
    host_port: tuple[int, int] | None = attrs.field(default=None, converter=port_range)
    guest_port: int = 22
    vnc: Vnc | None = attrs.field(default=None, converter=vnc, metadata={"key": False})
    binary: str | None = None
    extra_args: tuple[str, ...] = attrs.field(default=(), converter=_words)
    user: str | Later | None = None
    communicator: CommunicatorSpec | None = None
    seed: Seed | None = "auto"
    boot_timeout: float | None = attrs.field(default=None, metadata={"key": False})
    generalize: bool = attrs.field(default=True, metadata=_CAPTURE)
    shutdown_command: str | Later | None = attrs.field(default=None, metadata=_CAPTURE)
    shutdown: Shutdown = attrs.field(default="normal", metadata=_CAPTURE)
    shutdown_timeout: float = attrs.field(default=300.0, metadata={"key": False})
    format: Format = attrs.field(default="qcow2", metadata=_CAPTURE)
    layers: Layers = "live"
    compress: bool | Literal["zstd", "zlib"] = attrs.field(default=False, metadata=_CAPTURE)
    name: str = attrs.field(default="", metadata=FROM_CALLER)

    @property
    def platform(self) -> Platform:
        """What its architecture means."""
        return PLATFORMS[self.architecture]

    @property
    def program(self) -> str:
        """The emulator that is used."""
        return self.binary or self.platform.binary

    @property
    def machine_type(self) -> str:
        """The machine type that is used."""
        return self.machine or self.platform.machine

    @property
    def firmware_kind(self) -> Firmware:
        """The firmware that is used."""
        return self.firmware or self.platform.firmwares[0]

    @property
    def tpm_model(self) -> str:
        """The model of TPM that is used."""
        return self.tpm_device or self.platform.tpm

    @property
    def install_size(self) -> str | int | Later:
        """The size of the disk that an installer fills."""
        return INSTALL_SIZE if self.disk_size is None else self.disk_size

    @property
    def seeded(self) -> Seed | None:
        """The first-boot data that is given; an installer takes a strange disk for one to install on."""
        return None if self.installs and self.seed == "auto" else self.seed

    @property
    def installs(self) -> bool:
        """Whether it starts with an empty disk, which an installer fills."""
        return bool(self.iso) or self.kernel is not None

    @property
    def saves_live(self) -> bool:
        """Whether a running machine can be saved; QEMU has no way to save its NVMe device."""
        media = self.installs or self.cd is not None or self.floppy is not None or bool(self.cdroms)
        outside = self.tpm is not None or self.bridge is not None
        return self.layers == "live" and self.disk_interface != "nvme" and not (media or outside or self.mute)

    @property
    def saves_disks(self) -> bool:
        """Whether only its disks are saved."""
        return self.layers != "off" and not self.saves_live and not self.mute

    @property
    def mute(self) -> bool:
        """Whether nobody can talk to it."""
        return self.communicator is not None and self.communicator.kind == "none"

    @property
    def compression(self) -> str | None:
        """The name of the compression of the captured qcow2."""
        return "zstd" if self.compress is True else self.compress or None

    def check(self) -> Iterable[Problem]:
        """Sizes, ports, words; nothing of the host is looked at."""
        yield from checks.problems(self)

    def reads(self) -> Iterable[Path]:
        """Local disk files, and what goes on media or is served."""
        if isinstance(self.disk, Path):
            yield self.disk
        given = (*self.iso, *self.extra_disks, self.uefi_code, self.uefi_variables)
        yield from (path for path in given if isinstance(path, Path))
        for files in (self.kernel, self.initrd, *self.cdroms, self.http, self.cd, self.floppy):
            if files is not None and known(files):
                yield from files.reads()

    def downloads(self) -> Mapping[str, str]:
        """What a URL names: the disk or the installer's ISO, kernel and initial file system, further CDs."""
        files = [Download([place for place in (self.disk, *self.iso) if isinstance(place, str)], self.checksum)]
        files += [given for given in (self.kernel, self.initrd, *self.cdroms) if given is not None]
        return {
            shown(place): given.checksum if isinstance(given.checksum, str) else ""
            for given in files
            for place in given.places
            if isinstance(place, str)
        }

    def fills(self) -> Mapping[str, frozenset[str]]:
        """What its machine is given may hold the build's public key and the place of its web server."""
        return dict.fromkeys(("http", "cd", "floppy", "boot_command", "boot_steps", "kernel_args"), GIVEN)

    def resources(self) -> Resources:
        """The guest's memory and what QEMU itself takes; the guest's processors."""
        memory = 0 if isinstance(self.memory, Later) else parse_size(self.memory)
        return Resources(memory=memory + _OVERHEAD, cpus=float(self.cpus) if known(self.cpus) else 0.0)

    def tools(self) -> Iterable[HostTool]:
        """The emulator, its disk tool, and what ties them to us."""
        yield HostTool(name=self.program, package=self.platform.package, needed_for="machines in QEMU")
        yield HostTool(name="qemu-img", package="qemu-utils", needed_for="disks of machines in QEMU")
        yield HostTool(name="setpriv", package="util-linux", needed_for="ending QEMU when packerpy dies")
        if self.floppy is not None:
            yield floppy.TOOL
        if self.tpm is not None:
            yield SWTPM
        sums = sums_of(self.checksum) if isinstance(self.checksum, (str, Sums)) else None
        yield from sums.tools() if sums is not None else ()

    def for_test(self, artifact: Artifact) -> Qemu:
        """The same hardware, started from the artifact's disks."""
        made, extra = artifact.outputs, self.extra_disks
        variables = made.get("uefi_variables")
        if known(extra):
            named = enumerate(extra, 1)
            extra = tuple(Path(made[f"disk{n}"]) if f"disk{n}" in made else declared for n, declared in named)
        return attrs.evolve(
            self,
            disk=artifact,
            iso=(),
            checksum=None,
            kernel=None,
            initrd=None,
            kernel_args=(),
            cdroms=(),
            boot_command=(),
            boot_steps=(),
            http=None,
            cd=None,
            floppy=None,
            disk_size=None,
            uefi_variables=Path(variables) if variables else self.uefi_variables,
            keep_variables=False,
            extra_disks=extra,
            generalize=False,
        )

    def load(self) -> Source:
        """The worker."""
        if self.saves_live:
            from packerpy.backends.qemu.checkpoints.source import CheckpointedSource

            return CheckpointedSource(self)
        if self.saves_disks:
            from packerpy.backends.qemu.checkpoints.disk_source import DiskSource

            return DiskSource(self)
        from packerpy.backends.qemu.source import QemuSource

        return QemuSource(self)
