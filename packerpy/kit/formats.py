"""Reads the formats in which data comes."""

from __future__ import annotations

import json
import tomllib
from typing import Any, Literal

Format = Literal["text", "json", "toml"]


def parsed(text: str, form: Format) -> Any:
    """What a text says; ``None`` for plain text, which says only itself.

    :raises ValueError: it is not in that format.
    """
    if form == "json":
        return json.loads(text)
    return tomllib.loads(text) if form == "toml" else None
