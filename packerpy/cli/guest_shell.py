"""A shell in a guest, from the terminal: the system's ssh where there is a key for it, else line by line."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from packerpy.communicators.ssh import SSH
from packerpy.communicators.ssh.by_hand import ssh_command
from packerpy.contracts import Communicator
from packerpy.errors import PackerpyError
from packerpy.values import Command, Machine


def open_shell(machine: Machine, reach: Callable[[], Communicator]) -> None:
    """Let the user work in the guest until the shell ends; what goes wrong is printed, for a question follows."""
    try:
        spec = machine.communicator
        if isinstance(spec, SSH) and _straight(spec, machine) and shutil.which("ssh"):
            _ssh(spec, machine)
        else:
            channel = reach()
            try:
                _by_line(channel)
            finally:
                channel.close()
    except PackerpyError as error:
        print(error, file=sys.stderr)  # noqa: T201


def _straight(spec: SSH, machine: Machine) -> bool:
    """Whether the system's ssh gets there without being asked for anything."""
    return machine.endpoint.key_file is not None and not spec.bastions and spec.proxy is None


def _ssh(spec: SSH, machine: Machine) -> None:
    with tempfile.TemporaryDirectory(prefix="packerpy-known-hosts-") as folder:
        subprocess.run(ssh_command(spec, machine, Path(folder) / "known_hosts"), check=False)


def _by_line(channel: Communicator) -> None:
    """Each line is a command of its own; `exit`, or the end of input, ends it."""
    print("a line is a command, run in a shell of its own; `exit` ends this", file=sys.stderr)  # noqa: T201
    while True:
        try:
            line = input("guest> ")
        except EOFError:
            return
        if line.strip() == "exit":
            return
        if line.strip():
            done = channel.run(Command(line=line), sink=_show)
            if not done.ok:
                print(f"(exit code {done.exit_status})", file=sys.stderr)  # noqa: T201


def _show(stream: str, text: str) -> None:
    (sys.stderr if stream == "stderr" else sys.stdout).write(text)
    sys.stdout.flush()
