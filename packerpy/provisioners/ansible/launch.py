"""How Ansible is started, so that nothing of it outlives us."""

from __future__ import annotations

import os
from pathlib import Path

_TIED_WORKERS = """\
import ctypes, os, runpy, sys
prctl = ctypes.CDLL(None).prctl
os.register_at_fork(after_in_child=lambda: prctl(1, 9))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a Python program whose forked children the kernel kills when it ends; 1 is PR_SET_PDEATHSIG, 9 is SIGKILL."""


def tied_workers(program: str) -> list[str]:
    """The start of a command line for a program of Ansible.

    Ansible's workers make sessions of their own and wait for their playbook for ever, also when that was killed. A
    program that is no Python script, such as a wrapper in another language, is started as it is.
    """
    with Path(program).open("rb") as file:
        first = file.readline(256)
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if not words or not any(Path(word).name.startswith("python") for word in words):
        return [program]
    return [*words, "-c", _TIED_WORKERS, os.path.realpath(program)]
