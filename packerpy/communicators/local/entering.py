"""How a command gets into a tree: its namespaces, its environment, its /run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from packerpy.errors import CommunicatorError
from packerpy.kit.namespaces import isolated
from packerpy.kit.process import find_tool

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_BASE = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
    # systemctl enables and disables units, and passes over what would need a running system.
    "SYSTEMD_OFFLINE": "1",
    # A tree that is lost in a power cut is made anew; the disk made of it is flushed.
    "DPKG_FORCE": "unsafe-io",
}


@cache
def _script() -> str:
    return files(__package__).joinpath("enter.sh").read_text(encoding="utf-8")


def argv(root: Path, runtime: Path, command: Sequence[str], *, pty: bool = False) -> list[str]:
    """The command line that runs ``command`` in the tree; with ``pty`` its terminal becomes the controlling one."""
    session = [find_tool("setsid", package="util-linux", needed_for="commands on a terminal"), "--ctty"] if pty else []
    return isolated([*session, "/bin/sh", "-c", _script(), "enter", root, runtime, *command])


def environment(extra: Mapping[str, str], *, pty: bool) -> dict[str, str]:
    """The whole environment of a command; nothing of ours gets in."""
    env = _BASE | ({"TERM": os.environ.get("TERM", "dumb")} if pty else {}) | dict(extra)
    # The tools that enter the tree are the host's, and found by the host's path.
    env["PACKERPY_PATH"] = env.pop("PATH", _PATH)
    return env | {"PATH": _PATH}


def make_runtime(root: Path) -> Path:
    """The folder that is the tree's ``/run`` for as long as the tree exists, with the host's name servers in it.

    :raises CommunicatorError: it cannot be made.
    """
    runtime = root.with_name(root.name + ".run")
    try:
        (runtime / "packerpy").mkdir(parents=True, exist_ok=True)
        (runtime / "lock").mkdir(exist_ok=True)
        (runtime / "lock").chmod(0o1777)
        host = Path("/etc/resolv.conf")
        if host.is_file():
            shutil.copyfile(host, runtime / "packerpy" / "resolv.conf")
    except OSError as error:
        raise CommunicatorError(f"cannot prepare the tree {root}", details=str(error)) from error
    return runtime
