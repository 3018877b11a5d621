"""Shell lines that make the declared accounts and the locale; run in the tree, as root."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from packerpy.backends.bootstrap.users import User


def user_lines(user: User) -> Iterable[str]:
    """Those of one account; its password is not among them, it goes by standard input of another command."""
    name = shlex.quote(user.name)
    for group in user.groups:
        yield f"getent group {shlex.quote(group)} > /dev/null || groupadd {shlex.quote(group)}"
    if user.name != "root":
        uid = f"--uid {user.uid} " if user.uid is not None else ""
        # A lone * is a password that nothing matches; the ! of useradd would also lock out keys where sshd has no PAM.
        make = f"useradd --create-home --shell {shlex.quote(user.shell)} {uid}--password '*' {name}"
        yield f"id {name} > /dev/null 2>&1 || {make}"
    if user.groups:
        yield f"usermod --append --groups {shlex.quote(','.join(user.groups))} {name}"
    if user.sudo:
        rule = shlex.quote(f"{user.name} ALL=(ALL:ALL) NOPASSWD:ALL")
        yield f"printf '%s\\n' {rule} > /etc/sudoers.d/90-{name}"
        yield f"chmod 440 /etc/sudoers.d/90-{name}"
    if user.ssh_authorized_keys:
        keys = " ".join(shlex.quote(key.strip()) for key in user.ssh_authorized_keys)
        yield f"home=$(getent passwd {name} | cut -d: -f6)"
        yield f'install -d -m 700 -o {name} -g "$(id -g {name})" "$home/.ssh"'
        yield f"printf '%s\\n' {keys} > \"$home/.ssh/authorized_keys\""
        yield f'chown {name}: "$home/.ssh/authorized_keys"'
        yield 'chmod 600 "$home/.ssh/authorized_keys"'


def locale_lines(locale: str) -> Iterable[str]:
    """Those that generate a locale, if it must be."""
    if re.match(r"C|POSIX", locale):
        return
    charset = (re.search(r"\.([^@]+)", locale) or ["", "UTF-8"])[1]
    entry = shlex.quote(f"{locale} {charset}")
    yield f"grep -qxF {entry} /etc/locale.gen 2> /dev/null || echo {entry} >> /etc/locale.gen"
    yield "locale-gen"
