"""Secrets, and the type of fields that take text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs

from packerpy.declare.later import Later
from packerpy.errors import DeclarationError


def _texts(value: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(item) for item in value)


@attrs.frozen(kw_only=True)
class Secret:
    """A value that must never be seen. Exactly one of the origins is given; it is read only when a build uses it.

    :param env: the name of an environment variable.
    :param file: a file; one trailing newline is dropped.
    :param command: a program and its arguments whose standard output is the secret; one trailing newline is dropped.
    :param value: the secret itself; prefer the others, they keep it out of your source.
    """

    env: str | None = None
    file: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    command: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_texts))
    value: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        given = [name for name in ("env", "file", "command", "value") if getattr(self, name) is not None]
        if len(given) != 1:
            raise DeclarationError(
                "a Secret has exactly one origin",
                details=f"seen: {', '.join(given) or 'none'}",
                resolution="give one of env=, file=, command= or value=",
            )

    def __str__(self) -> str:
        return "<secret>"

    def __repr__(self) -> str:
        if self.value is not None:
            return "Secret(<secret>)"
        origin = "env" if self.env is not None else "file" if self.file is not None else "command"
        return f"Secret({origin}={getattr(self, origin)!r})"


Text = str | Later | Secret
"""A field that takes text, or something that becomes text before or while the build runs."""
