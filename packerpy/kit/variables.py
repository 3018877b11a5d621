"""Environment variables of a command."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packerpy.errors import CommunicatorError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def check_variables(env: Mapping[str, str]) -> None:
    """Refuse what no shell can take.

    :raises CommunicatorError: a name or value that no shell can take.
    """
    for name, value in env.items():
        if not _NAME.match(name):
            raise CommunicatorError(f"{name!r} cannot be the name of an environment variable")
        if "\0" in value:
            raise CommunicatorError("a command or an environment variable holds a NUL character")
