"""The QEMU process."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from packerpy.backends.qemu.errors import DiedAtStart
from packerpy.backends.qemu.guest import Disk, Guest, find_process
from packerpy.contracts import Run, Step
from packerpy.errors import SourceError
from packerpy.kit import process
from packerpy.kit.console import Console
from packerpy.kit.qmp import Qmp, QmpClosed

_CONNECT = 60.0
"""Seconds in which QEMU must have connected to us; it took 0.1 s on an idle host."""


@attrs.frozen(kw_only=True)
class Launch(Step[Guest]):
    """Acquires a paused machine with its control connections.

    :ivar id: the UUID in ``argv``.
    :ivar argv: QEMU's command line.
    :ivar folder: with the sockets that ``argv`` names.
    :ivar disks: of the guest.
    :ivar memory: the open file that QEMU inherits as the guest's memory.
    """

    id: str
    argv: tuple[str, ...]
    folder: Path
    disks: tuple[Disk, ...]
    memory: int | None = None

    @property
    def title(self) -> str:
        """Which process."""
        return f"machine {self.id}"

    def do(self, run: Run) -> Guest:
        """Start it and take its calls.

        We listen and QEMU connects, so there is nothing to wait for but these calls or its end.
        """
        log = self.folder / "qemu.log"
        with listening(self.folder / "qmp") as qmp, listening(self.folder / "tty") as tty:
            with log.open("wb") as output:
                child = process.spawn(
                    self.argv,
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    pass_fds=() if self.memory is None else (self.memory,),
                    tie=not run.lasting,
                )
            connections: list[socket.socket] = []
            try:
                # In this order: QEMU opens character devices as they stand on its command line.
                connections += [_accept(run, listener, child, log) for listener in (qmp, tty)]
                guest = self._connected(child, connections, log)
            except BaseException:
                process.stop(child)
                for connection in connections:
                    connection.close()
                raise
        guest.register()
        return guest

    def _connected(self, child: subprocess.Popen[bytes], connections: list[socket.socket], log: Path) -> Guest:
        qmp, tty = connections
        try:
            control = Qmp(qmp)
        except QmpClosed as error:
            raise _died(child, log) from error
        console = Console(tty, self.folder / "console.log")
        return Guest(
            id=self.id,
            pid=child.pid,
            folder=self.folder,
            child=child,
            disks=self.disks,
            memory=self.memory,
            qmp=control,
            console=console,
        )

    def undo(self, run: Run, made: Guest) -> None:
        """Pull the plug."""
        made.stop()

    def find(self, run: Run) -> Guest | None:
        """By the UUID on its command line."""
        pid = find_process(self.id)
        return Guest(id=self.id, pid=pid, folder=self.folder) if pid is not None else None


@contextmanager
def listening(path: Path, *, keep: bool = False) -> Iterator[socket.socket]:
    """A socket that listens within the context.

    :param keep: whether its name stays afterwards, for a program that goes on listening there.
    :raises SourceError: it cannot be made.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(str(path))
        except OSError as error:
            raise SourceError(
                f"cannot listen on the socket {path}",
                details=str(error),
                resolution="a socket's path has at most 107 characters: use a shorter folder for temporary files",
            ) from error
        listener.listen(1)
        try:
            yield listener
        finally:
            if not keep:
                path.unlink(missing_ok=True)


def _accept(run: Run, listener: socket.socket, child: subprocess.Popen[bytes], log: Path) -> socket.socket:
    """Wait for QEMU's call, its end, or a cancel, whichever comes first."""
    wake_read, wake_write = os.pipe()
    handle = os.pidfd_open(child.pid)

    def wake() -> None:
        os.write(wake_write, b"x")

    try:
        with run.cancellation.calling(wake):
            deadline = time.monotonic() + _CONNECT
            ready, _, _ = select.select(
                [listener.fileno(), handle, wake_read], [], [], max(0, deadline - time.monotonic())
            )
    finally:
        for descriptor in (wake_read, wake_write, handle):
            os.close(descriptor)
    run.cancellation.check()
    if listener.fileno() in ready:
        return listener.accept()[0]
    if not ready:
        raise SourceError(f"QEMU did not connect to us within {_CONNECT:g} s", details=log.read_text(errors="replace"))
    raise _died(child, log)


def _died(child: subprocess.Popen[bytes], log: Path) -> DiedAtStart:
    try:
        code = child.wait(10)
    except subprocess.TimeoutExpired:
        code = -9
    return DiedAtStart(code, process.last_lines(log.read_text(errors="replace")))
