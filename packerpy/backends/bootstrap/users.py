"""Accounts of the machine to be made."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from packerpy.declare import Secret
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.values import Problem

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SHELL = re.compile(r"/[\w./-]+")


@declaration
class User:
    """An account.

    :param name: login name; ``root`` exists already and only gets what is said here.
    :param groups: further groups, made if missing.
    :param sudo: may become root without a password.
    :param ssh_authorized_keys: public keys that may log in.
    :param password_hash: as in ``/etc/shadow`` (``mkpasswd``); without one no password is good.
    :param shell: absolute path in the machine.
    :param uid: by default the next free one.
    """

    name: str
    groups: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=word_list)
    sudo: bool = attrs.field(default=False, kw_only=True)
    ssh_authorized_keys: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=word_list)
    password_hash: str | Secret | None = attrs.field(
        default=None, kw_only=True, repr=lambda value: "None" if value is None else "<secret>"
    )
    shell: str = attrs.field(default="/bin/bash", kw_only=True)
    uid: int | None = attrs.field(default=None, kw_only=True)

    def check(self) -> Iterable[Problem]:
        """All that is wrong with it."""
        for where, name in (("name", self.name), *((f"groups[{n}]", group) for n, group in enumerate(self.groups))):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                fix = "use at most 32 lower-case letters, digits, `-` and `_`, a letter first"
                yield Problem(where=where, what="not a name for an account or group", seen=repr(name), fix=fix)
        for number, key in enumerate(self.ssh_authorized_keys):
            if len(key.split()) < 2 or "\n" in key.strip():
                yield Problem(
                    where=f"ssh_authorized_keys[{number}]",
                    what="not a public key",
                    seen=repr(key[:60]),
                    fix="give the line of a .pub file: `ssh-ed25519 AAAA… comment`",
                )
        if isinstance(self.password_hash, str) and not re.fullmatch(r"\$[^:\s]+", self.password_hash):
            yield Problem(where="password_hash", what="not a password hash", fix="make one with `mkpasswd -m yescrypt`")
        if not _SHELL.fullmatch(self.shell):
            yield Problem(where="shell", what="not an absolute path", seen=repr(self.shell), fix="write `/bin/bash`")
        if self.uid is not None and not 0 < self.uid < 60000:
            yield Problem(where="uid", what="not a number for an account", seen=str(self.uid), fix="use 1 to 59999")
