"""Where packerpy keeps what outlives a run."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$PACKERPY_CACHE_DIR``, else ``packerpy`` under ``$XDG_CACHE_HOME`` (``~/.cache``); made 0700 if missing.

    The rule for the second is the XDG Base Directory specification's.
    """
    named = os.environ.get("PACKERPY_CACHE_DIR")
    folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packerpy"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.absolute()


def scratch_folder() -> Path:
    """Where running builds put overlays and sockets: ``$TMPDIR``, else ``/var/tmp``, which is not kept in memory."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108  each build makes its own folder in it, mode 0700
