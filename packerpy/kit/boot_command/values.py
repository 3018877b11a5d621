"""What a boot command consists of."""

from __future__ import annotations

import attrs

from packerpy.declare import Secret
from packerpy.kit.boot_command.keys import Key


@attrs.frozen
class Press:
    """Press a key and let it go."""

    key: Key


@attrs.frozen
class Hold:
    """Press a key and keep it down."""

    key: Key


@attrs.frozen
class Release:
    """Let a held key go."""

    key: Key


@attrs.frozen
class Wait:
    """Pause for so many seconds."""

    seconds: float


@attrs.frozen
class WaitFor:
    """Wait until a text shows on the serial console or on the screen.

    :ivar text: looked for without regard to blanks, for screens break lines anywhere.
    :ivar timeout: seconds; ``None`` leaves it to who types.
    """

    text: str
    timeout: float | None = None


@attrs.frozen
class Fill:
    """Type what is known only when the machine runs.

    :ivar name: one of :data:`FILLS`.
    """

    name: str


@attrs.frozen
class TypeSecret:
    """Type a secret, character by character; nothing in it is a token."""

    secret: Secret


@attrs.frozen(kw_only=True)
class Begin:
    """Tell what comes now.

    :ivar description: for people; may be empty.
    :ivar number: which step it is, from 1.
    :ivar total: how many there are.
    """

    description: str
    number: int
    total: int


Action = Press | Hold | Release | Wait | WaitFor | Fill | TypeSecret | Begin

FILLS = ("http", "httpip", "httpport", "name", "sshpublickey")
"""Address and port of the build's HTTP server (``10.0.2.2:8080``), each of them alone, the name of the build, and the
public half of the key that is made for it."""
