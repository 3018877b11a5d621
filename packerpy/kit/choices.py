"""What to tell a user who gave a word that is not one of those allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(seen: object, allowed: Iterable[str]) -> str:
    """``did you mean `vmdk`?`` when one is near, and always the whole list."""
    words = list(allowed)
    near = difflib.get_close_matches(str(seen).lower().lstrip("."), words, n=1, cutoff=0.5)
    listed = "use one of " + ", ".join(words)
    return f"did you mean `{near[0]}`? {listed}" if near else listed
