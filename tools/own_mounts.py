"""Runs a command in mounts of its own, with the root folder as one of them: ``own_mounts.py COMMAND…``.

After chroot(8) the root folder usually is no mount point, and then the kernel refuses to set how mounts in it spread,
which is the first thing that unshare(1) and its kin do. Here the same is done one level higher up: in new mounts, from
their real root, where none of them spreads any more, the folder is bound onto itself; then it is the root again. When
the command ends, so does all of that.

Only root can do it, and ``/proc`` must be there. Where it cannot be done the command runs all the same.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of sched.h
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18  # MS_… of sys/mount.h

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(command: list[str]) -> None:
    """Become the command."""
    os.environ["OWN_MOUNTS"] = "1"
    here = Path.cwd()
    try:
        _own_mounts()
    except OSError as error:
        print(f"the root folder cannot be made a mount point: {error}", file=sys.stderr)
    os.chdir(here)
    os.execvp(command[0], command)


def _own_mounts() -> None:
    _checked(_libc.unshare(_NEW_MOUNTS))
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    _checked(_libc.setns(mounts, _NEW_MOUNTS))  # entering mounts, even one's own, leads to their real root
    try:
        _checked(_libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
        os.fchdir(root)
        _checked(_libc.mount(b".", b".", None, _BIND | _RECURSIVE, None))
        os.chdir(Path.cwd())  # onto what is mounted there now
    except OSError:
        os.fchdir(root)
        raise
    finally:
        os.chroot(".")


if __name__ == "__main__":
    main(sys.argv[1:])
