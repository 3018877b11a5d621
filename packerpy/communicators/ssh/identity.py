"""What a login over SSH needs, whether at the machine or at a host on the way to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import attrs

from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_path, host_paths, optional_path, word_list
from packerpy.declare.values import Secret
from packerpy.errors import CommunicatorError
from packerpy.kit.choices import suggestion
from packerpy.values import Problem

HostKeyPolicy = Literal["first-use", "pin", "known-hosts", "insecure"]
"""Whom to believe: see :class:`packerpy.SSH`."""

POLICIES: tuple[HostKeyPolicy, ...] = ("first-use", "pin", "known-hosts", "insecure")

_KEY_MARK, _CERTIFICATE_MARK = "PRIVATE KEY-----", "-cert-v01@openssh.com"
"""What every private key and every certificate has in its file, however it is made."""

KNOWN_HOSTS = Path("~/.ssh/known_hosts")
"""Where OpenSSH keeps what it knows."""


def hidden(value: Secret | str | None) -> str:
    """A password as ``repr`` shows it."""
    return "None" if value is None else "<secret>"


Answers = tuple[tuple[str, Secret | str], ...]


def pairs(
    value: Mapping[str, Secret | str] | Iterable[tuple[str, Secret | str]],
) -> Answers:
    """A mapping, in its order."""
    return tuple(value.items() if isinstance(value, Mapping) else value)


def pairs_hidden(value: Answers) -> str:
    """Answers as ``repr`` shows them."""
    return repr({part: "<secret>" for part, _ in value})


@declaration(kw_only=True)
class Login:
    """Fields that :class:`packerpy.SSH` and :class:`packerpy.Bastion` share; described there."""

    user: str | None = None
    host: str | None = None
    port: int | None = None
    key_files: tuple[Path, ...] = attrs.field(default=(), converter=host_paths)
    key_passphrase: Secret | str | None = attrs.field(default=None, repr=hidden)
    certificate: Path | None = attrs.field(default=None, converter=optional_path)
    password: Secret | str | None = attrs.field(default=None, repr=hidden)
    answers: Answers = attrs.field(default=(), converter=pairs, repr=pairs_hidden)
    interactive: bool = False
    agent: bool = False
    host_keys: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    known_hosts: Path = attrs.field(default=KNOWN_HOSTS, converter=host_path)
    host_key_policy: HostKeyPolicy = "first-use"

    def check_login(self) -> Iterable[Problem]:
        """Problems of these fields."""
        if self.user == "":
            yield Problem(where="user", what="the login name is empty", fix="leave it out, or give a name")
        if self.host == "":
            yield Problem(where="host", what="the address is empty", fix="leave it out, or give an address")
        if self.port is not None and not is_port(self.port):
            yield Problem(where="port", what="not a TCP port", seen=str(self.port), fix="use 1 to 65535")
        yield from self._check_keys()
        yield from self._check_host_keys()

    def _check_keys(self) -> Iterable[Problem]:
        for index, path in enumerate(self.key_files):
            missing = list(readable(f"key_files[{index}]", path, _KEY_MARK, "not a private SSH key"))
            yield from missing or self._check_key(f"key_files[{index}]", path.expanduser())
        if self.key_passphrase is not None and not self.key_files:
            fix = "give key_files=, or leave it out"
            yield Problem(where="key_passphrase", what="is for keys, and none is declared", fix=fix)
        for index, (part, _) in enumerate(self.answers):
            if not part.strip():
                fix = 'write {"code": Secret(…)}: a part of the question, and the answer'
                yield Problem(where=f"answers[{index}]", what="fits every question", seen=repr(part), fix=fix)
        if self.certificate is None:
            return
        fix = "`ssh-keygen -s` makes `…-cert.pub`"
        yield from readable("certificate", self.certificate, _CERTIFICATE_MARK, "not an SSH certificate", fix)
        if not self.key_files:
            yield Problem(
                where="key_files",
                what="a certificate is worth nothing without its private key",
                seen=f"certificate={str(self.certificate)!r}",
                fix="give the key that it certifies",
            )

    def _check_key(self, where: str, path: Path) -> Iterable[Problem]:
        """Whether it can be read, as far as its passphrase is known beforehand."""
        from packerpy.communicators.ssh.keys import KeyProtected, load_key

        known = self.key_passphrase if isinstance(self.key_passphrase, str) else None
        try:
            load_key(path, known)
        except KeyProtected as error:
            if not isinstance(self.key_passphrase, Secret):
                yield Problem(where=where, what=error.brief, seen=str(path), fix=error.resolution)
        except CommunicatorError as error:
            seen = f"{path}: {error.details}"
            yield Problem(where=where, what="not a private SSH key", seen=seen, fix="`ssh-keygen -y -f` tells more")

    def _check_host_keys(self) -> Iterable[Problem]:
        for index, key in enumerate(self.host_keys):
            if len(key.split()) < 2:
                yield Problem(
                    where=f"host_keys[{index}]", what="not a public key", seen=key[:60], fix="write `ssh-ed25519 AAAA…`"
                )
        if self.host_key_policy not in POLICIES:
            yield Problem(
                where="host_key_policy",
                what="there is no such policy",
                seen=repr(self.host_key_policy),
                fix=suggestion(self.host_key_policy, POLICIES),
            )
        if self.host_key_policy == "insecure" and self.host_keys:
            yield Problem(
                where="host_key_policy",
                what='"insecure" takes any host key, and host_keys names those that are right',
                fix="take one of the two away",
            )
        if self.host_key_policy == "known-hosts" and self.known_hosts != KNOWN_HOSTS:
            yield from readable("known_hosts", self.known_hosts)


def is_port(number: int) -> bool:
    """Whether a number is a TCP port."""
    return 0 < number < 65536


def readable(where: str, path: Path, mark: str = "", what: str = "", fix: str | None = None) -> Iterable[Problem]:
    """A file that has to be there.

    :param mark: a text that such files hold.
    :param what: the problem of one that does not.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        yield Problem(where=where, what="there is no such file", seen=str(path))
    except OSError as error:
        yield Problem(where=where, what="the file cannot be read", seen=f"{path}: {error.strerror}")
    else:
        if mark not in text:
            yield Problem(where=where, what=what, seen=str(path), fix=fix)
