"""Files that set variables."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packerpy.errors import DeclarationError

_AUTOMATIC = ("*.auto.vars.toml", "*.auto.vars.json")
"""Files that are read without being named, the later kind over the earlier one; each kind by name."""


def automatic(folder: Path) -> tuple[Path, ...]:
    """The files in a folder that are read without being named."""
    return tuple(path for pattern in _AUTOMATIC for path in sorted(folder.glob(pattern)))


def read_files(paths: Iterable[Path]) -> Mapping[str, object]:
    """Values by name; later files go over earlier ones.

    :raises DeclarationError: a file cannot be read, or holds no names and values.
    """
    values: dict[str, object] = {}
    for path in paths:
        values.update(_read(path))
    return values


def _read(path: Path) -> Mapping[str, object]:
    if path.suffix not in (".toml", ".json"):
        raise DeclarationError(
            f"cannot tell what {path} is written in", resolution="call it *.toml or *.json, and write that in it"
        )
    try:
        text = path.read_text(encoding="utf-8")
        content: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise DeclarationError(
            f"cannot read the variables in {path}",
            details=str(error),
            resolution='write JSON such as {"release": "bookworm"}, or TOML in a file called *.toml',
        ) from error
    if not isinstance(content, dict):
        raise DeclarationError(f"{path} holds no names and values", resolution='write {"release": "bookworm"}')
    empty = sorted(name for name, value in content.items() if value is None)
    if empty:
        raise DeclarationError(f"{path} gives no value to {', '.join(empty)}", resolution="leave the name out")
    return content
