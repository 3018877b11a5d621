"""Options of an AMI that is registered from what is there already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import attrs

from packerpy.backends.amazon.specs.image import BootMode, ImageOptions
from packerpy.declare.declaration import declaration
from packerpy.values import Problem

Architecture = Literal["x86_64", "arm64", "i386", "x86_64_mac", "arm64_mac"]


@declaration(kw_only=True, slots=False)
class RegisterOptions(ImageOptions):
    """An AMI that Amazon does not make from an instance itself, and what it is told of it.

    :param architecture: by default as what it is made from tells, else ``x86_64``.
    :param boot_mode: ``legacy-bios``, ``uefi``, or ``uefi-preferred`` for both; by default as what it is made from
        tells.
    :param ena_support: it has the driver of the elastic network adapter, which nearly all instance types need.
    :param sriov_support: it has that of the older one.
    :param tpm_support: instances have a TPM; needs ``boot_mode="uefi"``.
    :param uefi_data: a file with UEFI variables, as EC2's GetInstanceUefiData answers them.
    """

    architecture: Architecture | None = None
    boot_mode: BootMode | None = None
    ena_support: bool = True
    sriov_support: bool = False
    tpm_support: Literal["v2.0"] | None = None
    uefi_data: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))


def register_problems(spec: RegisterOptions) -> Iterable[Problem]:
    """All that is wrong with them."""
    choices: dict[str, tuple[object, ...]] = {
        "architecture": (*get_args(Architecture), None),
        "boot_mode": (*get_args(BootMode), None),
        "tpm_support": ("v2.0", None),
    }
    yield from word_problems(spec, choices)
    if spec.tpm_support is not None and spec.boot_mode != "uefi":
        yield Problem(where="tpm_support", what="needs UEFI", fix='add boot_mode="uefi"')
    if spec.uefi_data is not None and spec.boot_mode == "legacy-bios":
        yield Problem(where="uefi_data", what="does not go with legacy-bios", fix='use boot_mode="uefi"')
    if spec.uefi_data is not None and not spec.uefi_data.is_file():
        yield Problem(where="uefi_data", what="there is no such file", seen=str(spec.uefi_data))


def word_problems(spec: object, choices: dict[str, tuple[object, ...]]) -> Iterable[Problem]:
    """Fields that have another value than those that they may have."""
    for name, allowed in choices.items():
        seen = getattr(spec, name)
        if seen not in allowed:
            fix = f"use one of {', '.join(str(word) for word in allowed if word is not None)}"
            yield Problem(where=name, what="is none of the words known here", seen=repr(seen), fix=fix)


def register_reads(spec: RegisterOptions) -> tuple[Path, ...]:
    """The file with UEFI variables."""
    return () if spec.uefi_data is None else (spec.uefi_data,)
