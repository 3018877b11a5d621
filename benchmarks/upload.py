"""Upload a tree of two thousand small files to a real sshd on the loopback interface."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from benchmarks.packer import packer_build
from benchmarks.rounds import Case
from packerpy.communicators.ssh import SSH
from packerpy.testing import make_run
from packerpy.values import Endpoint, Machine

_FILES = 2000


def case(folder: Path) -> Case:
    """The tree, the server's keys, both ways."""
    folder.mkdir(parents=True)
    tree = folder / "tree"
    for number in range(_FILES):
        path = tree / f"{number % 40:02}" / f"{number:04}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {number}\n" * 200)
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    target = folder / "target"

    def with_packerpy() -> None:
        with _server(folder) as port:
            run = make_run(folder)
            spec = SSH()
            endpoint = Endpoint(host="127.0.0.1", port=port, user="root", key_file=folder / "key")
            channel = spec.load().connect(run, Machine(id="bench", endpoint=endpoint, communicator=spec))
            channel.put_tree(tree, PurePosixPath(target))  # type: ignore[attr-defined]
            channel.close()
            run.close(failed=False)
        _check(tree, target)

    def with_packer() -> None:
        with _server(folder) as port:
            target.mkdir()  # packer wants it to be there
            template = {
                "builders": [
                    {
                        "type": "null",
                        "ssh_host": "127.0.0.1",
                        "ssh_port": port,
                        "ssh_username": "root",
                        "ssh_private_key_file": str(folder / "key"),
                    }
                ],
                "provisioners": [{"type": "file", "source": f"{tree}/", "destination": str(target)}],
            }
            packer_build(folder, template)
        _check(tree, target)

    return Case(name=f"upload of a tree of {_FILES} files", packerpy=with_packerpy, packer=with_packer)


def _check(tree: Path, target: Path) -> None:
    """Everything has arrived; away with it."""
    subprocess.run(["diff", "-r", tree, target], check=True)
    shutil.rmtree(target)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[int]:
    """A real sshd that lets the key in."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host_key",
        "AuthorizedKeysFile": folder / "key.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "Subsystem": "sftp internal-sftp",
    }
    arguments = [f"-o{name}={value}" for name, value in options.items()]
    child = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", "/dev/null", *arguments], stderr=subprocess.DEVNULL)
    try:
        _until(lambda: _answers(port))
        yield port
    finally:
        child.terminate()
        child.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
