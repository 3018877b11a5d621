"""What the machine's shell is asked to run. Plain texts, no input or output.

A command reaches the machine in two parts. The *wrapper*, the same for every command, is what the server is asked to
execute, so it is all that a process list can show of our doing. It prints a token and its process group, then reads one
line from its input: the *order*, which sets the environment and starts the command. So no variable is ever part of an
argument list, junk that a login script prints is told from the command's output, and the group can be killed.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from packerpy.errors import CommunicatorError
from packerpy.kit.variables import check_variables

# Contains neither single quotes nor exclamation marks, so that any login shell passes it on unchanged. The fifth
# field of /proc/PID/stat is the process group: under sudo's `use_pty` it is not the one that sshd made.
_WRAPPER = (
    "read -r _ _ _ _ g _ 2>/dev/null </proc/$$/stat || g=$$; "
    '{before}printf "%s %s\\n" "$0" "$g"; '
    "IFS= read -r p || exit 255; "
    '{after}eval "$(printf %b "$p")"'
)
_RAW = "s=$(stty -g) && stty raw -echo || exit 255; "
_COOKED = 'stty "$s"; stty -onlcr; '


def wrapper(token: str, *, sudo: bool, pty: bool) -> str:
    """The command line for the server.

    :param token: what it prints first, followed by its process group.
    :param pty: input is a terminal: without this it would echo the order, and cut it at 4,096 characters.
    """
    script = _WRAPPER.format(before=_RAW if pty else "", after=_COOKED if pty else "")
    prefix = "exec sudo -n -H -- " if sudo else "exec "
    return f"{prefix}/bin/sh -c '{script}' {token}"


def order(line: str, env: Mapping[str, str]) -> bytes:
    """The line that the wrapper reads.

    :raises CommunicatorError: a name or value that no shell can take.
    """
    check_variables(env)
    parts = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    # Not `exec`: the wrapper stays, because it alone can tell 128 + n when a signal ends the command.
    parts.append(f"/bin/sh -c {shlex.quote(line)}\nexit $?")
    text = "\n".join(parts)
    if "\0" in text:
        raise CommunicatorError("a command or an environment variable holds a NUL character")
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return escaped.encode("utf-8", "surrogateescape") + b"\n"


def kill(group: int, *, sudo: bool) -> str:
    """Kills a process group; by the shell's own ``kill``, as the program of that name may take no group."""
    return f"{'sudo -n ' if sudo else ''}/bin/sh -c 'kill -9 -{group}'"


def marked(line: str, mark: str) -> str:
    """A command line as others send it, so that its processes can be found by :func:`kill_marked`.

    The shell stays until the command has ended; to the command and its output nothing changes.
    """
    return f": {mark}\n{line}\nexit $?"


def kill_marked(mark: str, *, sudo: bool) -> str:
    """Kills the shells of a mark with all that they started; they stand still first, so that none starts another."""
    pattern = f"[{mark[0]}]{mark[1:]}"  # does not fit the command line that it stands in
    script = (
        "k() { kill -STOP $1; for c in $(cat /proc/$1/task/*/children 2>/dev/null); do k $c; done; kill -9 $1; }; "
        "for p in /proc/[0-9]*; do "
        f'tr "\\0" " " <$p/cmdline 2>/dev/null | grep -q "{pattern}" && k "${{p#/proc/}}"; done; exit 0'
    )
    root = f"sudo -n /bin/sh -c '{script}' || " if sudo else ""
    return f"{{ {root}/bin/sh -c '{script}'; }} 2>/dev/null"


def put_file(target: str, temporary: str, folder: str, *, size: int, mode: int) -> str:
    """Takes a file on its input; it appears under its name when all of it has come, else not at all."""
    target, temporary, folder = shlex.quote(target), shlex.quote(temporary), shlex.quote(folder)
    return (
        f"[ ! -d {target} ] || {{ echo {target} is a folder >&2; exit 21; }}; "
        f"mkdir -p {folder} || exit; umask 077; "
        f'cat >{temporary} && [ "$(wc -c <{temporary})" -eq {size} ] && chmod {mode:o} {temporary} '
        f"&& mv -f {temporary} {target} || {{ rm -f {temporary}; exit 1; }}"
    )


def get_file(source: str) -> str:
    """Prints a file."""
    source = shlex.quote(source)
    return f"[ ! -d {source} ] || {{ echo {source} is a folder >&2; exit 21; }}; exec cat {source}"


PROBE = (
    "command -v tar >/dev/null && echo tar; "
    "tar --version 2>/dev/null | grep -q GNU && echo gnu; "
    "command -v zstd >/dev/null && echo zstd; exit 0"
)
"""Prints what the machine can do with trees, one word a line."""
