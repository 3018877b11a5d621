"""What a saved machine depends on."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from functools import cache
from pathlib import Path

import attrs

from packerpy.backends.qemu import accelerator, start
from packerpy.backends.qemu.argv import DiskFile, Wiring, arguments
from packerpy.backends.qemu.checkpoints import record
from packerpy.backends.qemu.specs import Qemu
from packerpy.contracts import Run

_TOLD = re.compile(r"^(?:vendor_id|cpu family|model|stepping|microcode|flags)\s*:.*$", re.MULTILINE)


def fingerprint(run: Run, spec: Qemu, decided: str | None = None) -> str:
    """A digest of QEMU's version and of its whole command line, with all that differs from run to run left out.

    :param decided: the accelerator, when it is known; otherwise the one that a boot would choose now.
    """
    binary = start.find_binary(spec)
    seen = Path(binary).stat()
    version = _version(binary, seen.st_mtime_ns, seen.st_ino)
    chosen = decided or _accelerator(run, spec, version)
    place = Path("/")
    wiring = Wiring(
        binary=Path(spec.program),
        accelerator=chosen,
        id="",
        name="",
        folder=place,
        disks=tuple(DiskFile(path=place) for _ in range(1 + len(spec.extra_disks))),
        seed=place if spec.seeded is not None else None,
        firmware=start.firmware_files(spec) if spec.firmware_kind == "uefi" else None,
        memory=place,
    )
    # Under emulation a guest sees nothing of the host's processor.
    host = [platform.release(), _processor()] if chosen != "tcg" else []
    parts = [record.VERSION, version, chosen, *host, *arguments(attrs.evolve(spec, vnc=None), wiring)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def disk_fingerprint(spec: Qemu) -> str:
    """A digest of what a system on a disk gets used to: where it finds its disks and its network, and how it boots."""
    hardware = (spec.architecture, spec.machine_type, spec.firmware_kind, spec.disk_interface, spec.network_device)
    parts = ["disk", record.VERSION, *hardware, 1 + len(spec.extra_disks)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def _version(binary: str, changed: int, inode: int) -> str:  # noqa: ARG001  they make an upgrade another question
    """Asked once of each program that is installed while we run; under load that took 0.1 s."""
    return accelerator.qemu_version(binary)


def _accelerator(run: Run, spec: Qemu, version: str) -> str:
    if spec.accelerator != "auto":
        return spec.accelerator
    if not accelerator.may_be_kvm(spec.architecture):
        return "tcg"
    # Where nothing is known yet it is taken to work: so the first build of most hosts has the keys of all later ones.
    return accelerator.Verdicts(cache=run.cache, version=version).read() or "kvm"


def _processor() -> str:
    """Model, microcode and flags of the host's first processor."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return platform.processor()
    return "\n".join(_TOLD.findall(first))
