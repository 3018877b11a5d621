"""Amounts of memory and disk, as people write them."""

from __future__ import annotations

import re

from packerpy.errors import DeclarationError

_UNITS = {
    "": 1, "b": 1,
    "k": 1 << 10, "kib": 1 << 10, "kb": 10**3,
    "m": 1 << 20, "mib": 1 << 20, "mb": 10**6,
    "g": 1 << 30, "gib": 1 << 30, "gb": 10**9,
    "t": 1 << 40, "tib": 1 << 40, "tb": 10**12,
}  # fmt: skip
"""The SI units are decimal; a single letter is binary, as QEMU has it."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(value: str | int) -> int:
    """Bytes: of ``"1 GiB"``, ``"512M"``, ``"1.5 GB"`` or a plain number of bytes.

    :raises DeclarationError: it is no size, or not above zero.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    factor = _UNITS.get(found[2].lower()) if found else None
    number = round(float(found[1]) * factor) if found and factor else 0
    if number <= 0:
        raise DeclarationError(f"{value!r} is not a size", resolution='write it like "512 MiB" or "20 GB"')
    return number


def show_size(size: int) -> str:
    """``size`` bytes for people, in binary units: ``1.5 GiB``."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.4g} {unit}"
        number /= 1024
    return f"{number:.4g} TiB"


def show_duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
