"""The way to a machine, for programs that log in by themselves and know nothing of our bastions and proxies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packerpy.communicators.ssh.connector import Dialer
from packerpy.communicators.ssh.joining import Joined, hang_up, stop_listening
from packerpy.communicators.ssh.specs import SSH
from packerpy.contracts import Run
from packerpy.errors import CommunicatorError
from packerpy.values import Machine

_CONNECT = 60.0
"""Seconds for the whole way; the build has gone it a moment before."""

KNOCK = Path(__file__).with_name("knock.py")
"""A program that connects its standard output to a doorway: OpenSSH's ``ProxyCommand`` with ``ProxyUseFdpass``."""


@contextmanager
def doorway(run: Run, spec: SSH, machine: Machine, path: Path) -> Iterator[None]:
    """A socket whose every connection is a stream to the machine's SSH server, by connections of its own.

    :param path: of the socket, in a folder that only we can enter.
    """
    dialer, joined, lock = Dialer(run, spec, machine), Joined(), threading.Lock()

    def carry(ours: socket.socket) -> None:
        try:
            with lock:
                theirs = dialer.route.open(_CONNECT)
        except CommunicatorError as error:
            run.say(f"no way to the machine: {error}")
            hang_up(ours)
            return
        joined.join(ours, theirs)

    def accept() -> None:
        while True:
            try:
                ours, _ = server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=carry, args=(ours,), daemon=True).start()

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(16)
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            stop_listening(server)
            joined.close()
            dialer.route.close()
            path.unlink(missing_ok=True)
