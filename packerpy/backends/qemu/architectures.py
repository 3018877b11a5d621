"""What differs between processor architectures: program, machine, firmware, console."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs

from packerpy.values import HostTool

Architecture = Literal["x86_64", "aarch64"]
Firmware = Literal["bios", "uefi"]
TpmVersion = Literal["2.0", "1.2"]

SWTPM = HostTool(name="swtpm", package="swtpm", needed_for="machines in QEMU with a TPM")


@attrs.frozen(kw_only=True)
class Platform:
    """One architecture as QEMU has it.

    :ivar binary: the emulator's name.
    :ivar package: the Debian package with the emulator.
    :ivar firmware_package: the Debian package with the UEFI files.
    :ivar machine: the machine type used by default.
    :ivar firmwares: kinds of firmware it has, the default first.
    :ivar uefi: pairs of code and variable files, in the order tried; distributions name them differently.
    :ivar secure: the same with Secure Boot and the keys of Microsoft in it.
    :ivar tpm: the model of a TPM.
    :ivar tcg_cpu: the processor model used under emulation. For x86_64 it is everything that QEMU can emulate, so that
        systems built for newer processors run, but for five-level page tables, which make every miss of the emulated
        TLB dearer. Processor seconds of QEMU from power-on to the end of the first SSH command, Debian 12 guest with
        two CPUs, host with two that was not idle (QEMU 7.2): this 36, ``qemu64`` 31 to 40, ``max`` 44 to 50. Intel
        models are slow (``Nehalem`` 82 where ``max`` took 60): the guest guards itself against Meltdown.
    """

    binary: str
    package: str
    firmware_package: str
    machine: str
    firmwares: tuple[Firmware, ...]
    uefi: tuple[tuple[str, str], ...]
    secure: tuple[tuple[str, str], ...]
    tpm: str
    tcg_cpu: str


PLATFORMS: Mapping[str, Platform] = MappingProxyType(
    {
        "x86_64": Platform(
            binary="qemu-system-x86_64",
            package="qemu-system-x86",
            firmware_package="ovmf",
            machine="q35",
            firmwares=("bios", "uefi"),
            uefi=(
                ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
                ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
                ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
                ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
            ),
            secure=(
                ("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
                ("/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"),
                ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
            ),
            tpm="tpm-tis",
            tcg_cpu="max,la57=off",
        ),
        "aarch64": Platform(
            binary="qemu-system-aarch64",
            package="qemu-system-arm",
            firmware_package="qemu-efi-aarch64",
            machine="virt",
            firmwares=("uefi",),
            uefi=(("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),),
            secure=(),
            tpm="tpm-tis-device",
            tcg_cpu="max",
        ),
    }
)
