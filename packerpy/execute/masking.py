"""Keeps secrets out of everything that is shown or written."""

from __future__ import annotations

import base64
import json
import re
import shlex
import threading
from urllib.parse import quote, quote_plus

MASK = "<secret>"
_SHORT = 4
"""Below this length only the raw text is masked: the encoded forms of two letters occur everywhere."""


class Masker:
    """Replaces every known secret, in each form it is likely to be printed in, by ``<secret>``."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def hide(self, secret: str) -> None:
        """Mask ``secret`` from now on."""
        with self._lock:
            self._forms |= forms_of(secret)
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern is not None else text


def forms_of(secret: str) -> set[str]:
    """``secret`` raw, shell-quoted, PowerShell-escaped, URL-encoded, JSON-escaped and in base64 at any alignment."""
    if not secret.strip():
        return set()
    raw = {secret, secret.replace("\r\n", "\n")}
    raw |= {line for line in secret.splitlines() if len(line) >= _SHORT}
    if len(secret) < _SHORT:
        return raw
    forms = set(raw)
    for text in raw:
        forms |= {
            shlex.quote(text).strip("'"),
            text.replace("'", "'\"'\"'"),
            text.replace("'", "''"),
            text.replace("`", "``").replace("$", "`$").replace('"', '`"'),
            quote(text, safe=""),
            quote_plus(text),
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
        }
        forms |= _base64_forms(text.encode())
    return {form for form in forms if form}


def _base64_forms(data: bytes) -> set[str]:
    """What stays the same in base64 wherever in a longer text ``data`` stands (three alignments)."""
    forms = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data)
        start = -(-offset * 8 // 6)
        end = (offset + len(data)) * 8 // 6
        core = encoded[start:end].decode()
        if len(core) >= _SHORT:
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms
