"""The same tokens in a line that is not typed: a kernel's arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packerpy.declare import Later, Secret
from packerpy.declare.later import Joined
from packerpy.errors import DeclarationError
from packerpy.kit.boot_command.parse import Mistake
from packerpy.kit.boot_command.values import FILLS
from packerpy.kit.choices import suggestion

_TOKEN = re.compile(r"<(?P<name>[^<>\n]*)>")
_KNOWN = (*FILLS, "lt")


def names_in(parts: Iterable[str | Later | Secret]) -> set[str]:
    """What the line wants to be filled in: names of :data:`FILLS`."""
    return {found["name"].lower() for found in _TOKEN.finditer(_known(parts))} & set(FILLS)


def mistakes_in(parts: Iterable[str | Later | Secret]) -> Iterable[Mistake]:
    """Tokens that are none, and secrets: everybody on a host can read what programs are started with."""
    pieces = list(parts)
    for part in pieces:
        if isinstance(part, Secret) or (isinstance(part, Joined) and any(isinstance(p, Secret) for p in part.parts)):
            what = "would stand in the command line of QEMU, which everybody on this host can read"
            yield Mistake(at=1, seen="a secret", what=what, fix="let the guest fetch it by http=, or read it from cd=")
    for found in _TOKEN.finditer(_known(pieces)):
        if found["name"].lower() not in _KNOWN:
            fix = suggestion(found["name"], _KNOWN)
            yield Mistake(at=found.start() + 1, seen=found[0], what="is no token of a kernel's arguments", fix=fix)


def line_of(parts: Iterable[str | Later | Secret], fills: Mapping[str, str]) -> str:
    """The line, with everything filled in.

    :raises DeclarationError: a part has no value.
    """
    pieces = list(parts)
    for part in pieces:
        if not isinstance(part, str):
            shown = part.shown if isinstance(part, Later) else "a secret"
            raise DeclarationError(f"the kernel's arguments have no value yet: {shown}")
    known = {**fills, "lt": "<"}
    return _TOKEN.sub(lambda found: known.get(found["name"].lower(), found[0]), _known(pieces))


def _known(parts: Iterable[str | Later | Secret]) -> str:
    return "".join(part for part in parts if isinstance(part, str))
