"""A running QEMU process and all connections to it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import attrs

from packerpy.backends.qemu.argv import DiskFile, Wiring
from packerpy.backends.qemu.errors import describe_exit
from packerpy.kit import process
from packerpy.kit.console import Console
from packerpy.kit.qmp import Qmp, QmpEvent


@attrs.frozen(kw_only=True)
class Disk:
    """A disk of a machine: a chain of overlays.

    :ivar overlays: the top first, to which the guest writes; the others are never written again.
    :ivar base: what they stand on; ``None`` for a disk that was empty.
    :ivar node: what QEMU calls the top.
    """

    overlays: tuple[Path, ...]
    base: DiskFile | None = None
    node: str = ""


_known: dict[str, Guest] = {}
_known_lock = threading.Lock()


@attrs.define(eq=False, kw_only=True)
class Guest:
    """One QEMU process.

    :ivar id: its UUID.
    :ivar pid: of the process.
    :ivar folder: with its sockets and logs.
    :ivar disks: the boot disk first.
    :ivar memory: open file that is its memory, when it can be saved.
    :ivar wiring: what its command line was made from.
    :ivar child: the process as our child; ``None`` when it was found after a crash of its parent.
    """

    id: str
    pid: int
    folder: Path
    child: subprocess.Popen[bytes] | None = None
    disks: tuple[Disk, ...] = ()
    memory: int | None = None
    wiring: Wiring | None = None
    _qmp: Qmp | None = attrs.field(default=None, alias="qmp")
    _console: Console | None = attrs.field(default=None, alias="console")

    @property
    def qmp(self) -> Qmp:
        """The machine protocol."""
        assert self._qmp is not None  # noqa: S101  a guest that we started has one
        return self._qmp

    @property
    def console(self) -> Console:
        """The serial console."""
        assert self._console is not None  # noqa: S101  a guest that we started has one
        return self._console

    @property
    def last_words(self) -> str:
        """What QEMU itself printed."""
        try:
            return process.last_lines((self.folder / "qemu.log").read_text(errors="replace"))
        except OSError:
            return ""

    def register(self) -> None:
        """Make it known to :func:`find_guest`."""
        with _known_lock:
            _known[self.id] = self

    def died(self) -> str | None:
        """Why the machine cannot answer any more; ``None`` while it can."""
        code = self.child.poll() if self.child is not None else None
        if code is not None:
            return self._end(code)
        if self._qmp is None:
            return None
        last = next((event for event in reversed(self._qmp.events) if event.name in ("STOP", "RESUME")), None)
        if last is not None and last.name == "STOP":
            failed = self._last_event("BLOCK_IO_ERROR")
            if failed is not None:
                full = failed.data.get("nospace")
                return "its disk could not be written: " + ("the host's file system is full" if full else "I/O error")
            return "it was stopped by QEMU"
        return None

    def _end(self, code: int) -> str:
        if self._last_event("GUEST_PANICKED") is not None:
            return "the guest's kernel panicked"
        shutdown = self._last_event("SHUTDOWN")
        if shutdown is not None and shutdown.data.get("guest"):
            return "the guest powered itself off"
        said = self.last_words
        return f"QEMU ended with {describe_exit(code)}" + (f": {said}" if said else "")

    def _last_event(self, name: str) -> QmpEvent | None:
        events = self._qmp.events if self._qmp is not None else ()
        return next((event for event in reversed(events) if event.name == name), None)

    def screenshot(self, target: Path) -> None:
        """Write the guest's screen as PNG.

        :raises packerpy.kit.qmp.QmpError: QEMU is gone or cannot.
        """
        self.qmp.execute("screendump", filename=str(target), format="png")

    def stop(self) -> None:
        """Pull the plug, and close all connections; safe to call twice."""
        with _known_lock:
            _known.pop(self.id, None)
        if self.child is not None:
            process.stop(self.child)
        else:
            kill(self.pid)
        if self._qmp is not None:
            self._qmp.close()
        if self._console is not None:
            self._console.close()


def find_guest(guest_id: str) -> Guest | None:
    """The live guest of this process with that id; a machine is handed around by id, its connections stay here."""
    with _known_lock:
        return _known.get(guest_id)


def find_process(guest_id: str) -> int | None:
    """The pid of a QEMU that was started with this UUID."""
    return find_program("-uuid", guest_id)


def find_program(*arguments: str) -> int | None:
    """The pid of a program with these arguments, which no other has."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # The program itself, or setpriv in the instant before it becomes that.
        if all(argument.encode() in words for argument in arguments):
            return int(entry.name)
    return None


def kill(pid: int) -> None:
    """Kill a process, if it is still there."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
