"""What can be wrong with a declared QEMU machine, as far as the declaration alone tells."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

from packerpy.backends.qemu.architectures import PLATFORMS, Architecture, TpmVersion
from packerpy.backends.qemu.installer import checks as installer
from packerpy.declare import Later
from packerpy.errors import DeclarationError
from packerpy.kit.choices import suggestion
from packerpy.kit.sizes import parse_size
from packerpy.kit.web_server import check_ports
from packerpy.values import Problem

if TYPE_CHECKING:
    from packerpy.backends.qemu.specs import Qemu

_LEAST_MEMORY = 16 << 20


def problems(spec: Qemu) -> Iterable[Problem]:
    """All of them."""
    yield from _words(spec)
    yield from _sizes(spec)
    yield from _numbers(spec)
    yield from _ports(spec)
    yield from installer.problems(spec)
    yield from _firmware(spec)
    yield from _combinations(spec)


def _words(spec: Qemu) -> Iterable[Problem]:
    from packerpy.backends.qemu import specs

    choices: dict[str, tuple[object, ...]] = {
        "architecture": get_args(Architecture),
        "firmware": ("bios", "uefi", None),
        "accelerator": get_args(specs.Accelerator),
        "disk_interface": get_args(specs.DiskInterface),
        "cdrom_interface": get_args(specs.CdromInterface),
        "seed": (*get_args(specs.Seed), None),
        "format": get_args(specs.Format),
        "layers": get_args(specs.Layers),
        "shutdown": get_args(specs.Shutdown),
        "compress": (False, True, "zstd", "zlib"),
        "tpm": (*get_args(TpmVersion), None),
    }
    for field, allowed in choices.items():
        seen = getattr(spec, field)
        if seen not in allowed:
            yield Problem(
                where=field,
                what="is none of the words known here",
                seen=repr(seen),
                fix=suggestion(seen, map(str, allowed)),
            )


def _sizes(spec: Qemu) -> Iterable[Problem]:
    sizes = [("memory", spec.memory), ("disk_size", spec.disk_size)]
    sizes += [(f"extra_disks[{n}]", disk) for n, disk in enumerate(spec.extra_disks) if isinstance(disk, (str, int))]
    for where, seen in sizes:
        if seen is None or isinstance(seen, Later):
            continue
        try:
            size = parse_size(seen)
        except DeclarationError as error:
            yield Problem(where=where, what="is not a size", seen=repr(seen), fix=error.resolution)
            continue
        if where == "memory" and size < _LEAST_MEMORY:
            yield Problem(where=where, what="is too little for any guest", seen=repr(seen), fix='write it like "1 GiB"')


def _numbers(spec: Qemu) -> Iterable[Problem]:
    if not isinstance(spec.cpus, int) or not 1 <= spec.cpus <= 255:
        yield Problem(where="cpus", what="is not a number of processors", seen=repr(spec.cpus), fix="use 1 to 255")
    topology = spec.topology
    made = topology is None or (len(topology) == 3 and min(topology) > 0 and math.prod(topology) == spec.cpus)
    if not made and isinstance(spec.cpus, int):
        fix = "give sockets, cores and threads, each 1 or more, whose product is cpus"
        yield Problem(where="topology", what=f"does not make {spec.cpus} processors", seen=repr(topology), fix=fix)
    for where in ("shutdown_timeout", "boot_timeout"):
        seen = getattr(spec, where)
        if seen is not None and not seen > 0:
            yield Problem(where=where, what="is not a time", seen=repr(seen), fix="use a number of seconds above 0")


def _ports(spec: Qemu) -> Iterable[Problem]:
    if not 1 <= spec.guest_port <= 65535:
        yield Problem(where="guest_port", what="is not a port", seen=repr(spec.guest_port), fix="use 1 to 65535")
    yield from check_ports("host_port", spec.host_port)
    if spec.bridge is not None and spec.host_port is not None:
        fix = "leave it out: the machine has an address of its own"
        yield Problem(where="host_port", what="does not go with bridge=", seen=repr(spec.host_port), fix=fix)
    if spec.bridge is not None and not re.fullmatch(r"[^\s/,:]{1,15}", spec.bridge):
        yield Problem(where="bridge", what="is no name of a bridge", seen=repr(spec.bridge), fix="write it like virbr0")
    if spec.vnc is not None:
        yield from (problem.within("vnc") for problem in spec.vnc.check())


def _firmware(spec: Qemu) -> Iterable[Problem]:
    """What only UEFI has."""
    platform = PLATFORMS.get(spec.architecture)
    if platform is None:
        return
    for where in ("secure_boot", "uefi_code", "uefi_variables", "keep_variables"):
        if getattr(spec, where) and spec.firmware_kind != "uefi":
            yield Problem(where=where, what="is for UEFI, and the firmware is BIOS", fix='give firmware="uefi"')
    if spec.secure_boot and not (platform.secure and spec.machine_type.startswith(("q35", "pc-q35"))):
        seen, fix = f"{spec.architecture}, {spec.machine_type}", "leave machine= out, or secure_boot="
        yield Problem(where="secure_boot", what="needs a machine of type q35, on x86_64", seen=seen, fix=fix)


def _combinations(spec: Qemu) -> Iterable[Problem]:
    platform = PLATFORMS.get(spec.architecture)
    if platform and spec.firmware in ("bios", "uefi") and spec.firmware not in platform.firmwares:
        fix = f"use {' or '.join(platform.firmwares)}"
        yield Problem(where="firmware", what=f"does not exist on {spec.architecture}", seen=spec.firmware, fix=fix)
    if spec.format == "raw" and spec.compress:
        yield Problem(
            where="compress",
            what="does not go with raw",
            seen=repr(spec.compress),
            fix="use qcow2, or a post-processor",
        )
    if spec.machine is not None and spec.machine.startswith("microvm"):
        fix = "use q35 or pc: microvm has no PCI bus, display or ACPI power button"
        yield Problem(where="machine", what="is not supported", seen=spec.machine, fix=fix)
