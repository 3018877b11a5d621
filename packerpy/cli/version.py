"""``packerpy version``."""

from __future__ import annotations

import platform

from packerpy.version import __version__


def version() -> int:
    """Print the versions of packerpy and of Python."""
    print(f"packerpy {__version__} (Python {platform.python_version()})")  # noqa: T201
    return 0
