"""What qemu-img calls each format, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen(kw_only=True)
class Format:
    """A disk format.

    :ivar driver: qemu-img's name of it.
    :ivar subformats: its layouts; the first one is qemu-img's default.
    :ivar compresses: whether clusters can be compressed with any layout.
    :ivar compressed_by: the one layout that always compresses, where the format has one.
    :ivar always: options given whatever the user says, unless he says otherwise.
    """

    driver: str
    subformats: tuple[str, ...] = ()
    compresses: bool = False
    compressed_by: str | None = None
    always: Mapping[str, str] = attrs.field(factory=dict)


_VMDK = ("monolithicSparse", "streamOptimized")
"""Of the five layouts of VMDK those in one file."""

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "qcow2": Format(driver="qcow2", compresses=True),
        "raw": Format(driver="raw"),
        "vmdk": Format(driver="vmdk", subformats=_VMDK, compressed_by="streamOptimized"),
        "vdi": Format(driver="vdi"),
        # Without force_size the disk grows to the next size that cylinders, heads and sectors can express.
        "vhd": Format(driver="vpc", subformats=("dynamic", "fixed"), always={"force_size": "on"}),
        "vhdx": Format(driver="vhdx", subformats=("dynamic", "fixed")),
    }
)
"""By packerpy's name, which is also the file's extension."""

BY_SUFFIX: Mapping[str, str] = MappingProxyType(
    {f".{name}": form.driver for name, form in FORMATS.items()} | {".img": "raw", ".vpc": "vpc"}
)
"""The driver for a file whose artifact does not tell its format."""
