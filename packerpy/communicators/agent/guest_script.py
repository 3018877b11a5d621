"""What the machine's shell is asked to run. Plain texts, no input or output."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import attrs

from packerpy.kit.variables import check_variables

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for, as root's login shell has it on Debian."""

SHELL = "/bin/sh"


@attrs.frozen(kw_only=True)
class User:
    """Who a command runs as.

    :ivar ids: user and group number; ``None`` for who the agent is (root).
    """

    name: str = "root"
    home: str = "/root"
    ids: tuple[int, int] | None = None


def prepare(folder: str, user: str | None) -> str:
    """Makes the folder for output; prints the boot's id, what the machine can do, and who the user is.

    The folder is in memory and for root alone. Older ones of ours in it belong to a channel that is gone.
    """
    who = shlex.quote(user or "root")
    return (
        f"umask 077; mkdir -p {folder} || exit; cat /proc/sys/kernel/random/boot_id; "
        "for p in setsid setpriv script tar zstd fallocate; do "
        'command -v "$p" >/dev/null && printf "%s " "$p"; done; '
        "tar --version 2>/dev/null | grep -q GNU && printf gnu; echo; "
        f"id -u {who} && id -g {who} && {{ getent passwd {who} || grep ^{who}: /etc/passwd; }} | cut -d: -f6; exit 0"
    )


def await_network(seconds: float) -> str:
    """Waits for a default route and a name server, and prints what of it did not come."""
    return (
        f"end=$(($(cut -d. -f1 /proc/uptime) + {seconds:.0f})); while :; do missing=; "
        "awk '$2 == \"00000000\" { found = 1 } END { exit !found }' /proc/net/route || missing='a default route'; "
        "grep -qs '^nameserver' /etc/resolv.conf || missing=\"${missing:+$missing and }a name server\"; "
        '[ -n "$missing" ] && [ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ] || break; sleep 0.2; done; '
        'printf %s "$missing"'
    )


def going_down() -> str:
    """Prints the boot's id, and a second line if the machine is on its way down."""
    return (
        "cat /proc/sys/kernel/random/boot_id; "
        "systemctl is-system-running 2>/dev/null | grep stopping || runlevel 2>/dev/null | grep '[06]$'; exit 0"
    )


def environment(env: Mapping[str, str], user: User) -> list[str]:
    """The whole environment of a command.

    :raises CommunicatorError: a name or value that no shell can take.
    """
    check_variables(env)
    known = {"PATH": PATH, "HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": SHELL}
    return [f"{name}={value}" for name, value in {**known, **env}.items()]


# It leaves the agent's control group, so that a
# restart of the agent (by an upgrade) does not end the command.
_WRAPPER = "umask 022; {group}exec {feed}>>{base}.out 2>>{base}.err; cd 2>/dev/null || cd /; {command}"
_GROUP = (
    "{ read -r g </proc/$$/cgroup && case $g in *qemu-guest-agent*|*qemu-ga*) "
    "echo $$ >/sys/fs/cgroup/cgroup.procs;; esac; } 2>/dev/null; "
)
_TERMINAL = 'l=$PACKERPY_LINE; unset PACKERPY_LINE; stty -onlcr -echo; exec /bin/sh -c "$l"'


def arguments(base: str, line: str, *, user: User, pty: bool = False, feed: str | None = None) -> list[str]:
    """The arguments of ``setsid``, which makes the command the leader of a group that can be killed.

    :param base: output goes to the files of this name with ``.out`` and ``.err``.
    :param pty: on a terminal; the line is then in the environment as ``PACKERPY_LINE``.
    :param feed: file that the command reads.
    """
    become = ""
    if user.ids is not None:
        become = f"setpriv --reuid={user.ids[0]} --regid={user.ids[1]} --init-groups -- "
    if pty:
        command = f"exec {become}script -qefc {shlex.quote(_TERMINAL)} /dev/null"
    elif become:
        command = f'exec {become}{SHELL} -c "$1"'
    else:  # in this very shell, since starting programs is what costs most under emulation
        command = 'eval "shift; $1"'
    script = _WRAPPER.format(
        group=_GROUP,
        feed=f"<{shlex.quote(feed)} " if feed else "",
        base=shlex.quote(base),
        command=command,
    )
    return [SHELL, "-c", script, SHELL, *(() if pty else (line,))]


def kill(group: int) -> str:
    """Kills a process group, or what has not become one yet."""
    return f"kill -9 -{group} 2>/dev/null || kill -9 {group}"


def put_file(target: str, temporary: str, folder: str, *, size: int, mode: int, user: User) -> str:
    """Takes a file on its input; it appears under its name when all of it has come, else not at all."""
    target, temporary, folder = shlex.quote(target), shlex.quote(temporary), shlex.quote(folder)
    owner = f"&& chown {user.ids[0]}:{user.ids[1]} {temporary} " if user.ids else ""
    return (
        f"[ ! -d {target} ] || {{ echo {target} is a folder >&2; exit 21; }}; "
        f"mkdir -p {folder} || exit; umask 077; "
        f'cat >{temporary} && [ "$(wc -c <{temporary})" -eq {size} ] {owner}&& chmod {mode:o} {temporary} '
        f"&& mv -f {temporary} {target} || {{ rm -f {temporary}; exit 1; }}"
    )


BIG = 77
"""The exit code that says: open this file yourself."""


def get_file(source: str, limit: int) -> str:
    """Prints a file, unless it is an ordinary one of more than ``limit`` bytes."""
    source = shlex.quote(source)
    return (
        f"[ ! -d {source} ] || {{ echo {source} is a folder >&2; exit 21; }}; "
        f'[ ! -f {source} ] || [ "$(wc -c <{source})" -le {limit} ] || exit {BIG}; exec cat {source}'
    )
