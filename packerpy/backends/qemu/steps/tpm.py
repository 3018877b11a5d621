"""The machine's TPM: a program beside QEMU."""

from __future__ import annotations

import subprocess
from pathlib import Path

import attrs

from packerpy.backends.qemu.architectures import SWTPM, TpmVersion
from packerpy.backends.qemu.errors import describe_exit
from packerpy.backends.qemu.guest import find_program, kill
from packerpy.backends.qemu.steps.launch import listening
from packerpy.contracts import Run, Step
from packerpy.kit import process

_LAST_WORDS = 1.0
"""Seconds from the end of its connections to the end of a process."""


@attrs.define(eq=False, kw_only=True)
class Tpm:
    """A TPM that runs.

    :ivar socket: where QEMU reaches it.
    :ivar log: what it said.
    :ivar child: the process as our child; ``None`` when it was found after a crash of its parent.
    """

    pid: int
    socket: Path
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def failed(self) -> str | None:
        """Why it ended, if it did by a fault of its own; asked when QEMU has ended, which may have noticed earlier."""
        try:
            code = self.child.wait(_LAST_WORDS) if self.child is not None else 0
        except subprocess.TimeoutExpired:
            return None
        if code == 0:
            return None
        said = process.last_lines(self.log.read_text(errors="replace"))
        return f"the TPM (swtpm) ended with {describe_exit(code)}" + (f": {said}" if said else "")

    def stop(self) -> None:
        """End it; safe to call twice."""
        if self.child is not None:
            process.stop(self.child)
        else:
            kill(self.pid)
        self.socket.unlink(missing_ok=True)


@attrs.frozen(kw_only=True)
class StartTpm(Step[Tpm]):
    """Acquires a TPM for one QEMU, at whose end it ends too.

    :ivar folder: what it keeps: a new one is a new TPM, a used one the same TPM after a power cycle.
    :ivar socket: where it listens.
    :ivar version: of the specification.
    """

    folder: Path
    socket: Path
    version: TpmVersion

    @property
    def title(self) -> str:
        """Which."""
        return f"TPM {self.version} in {self.folder}"

    @property
    def _state(self) -> str:
        return f"dir={self.folder},mode=0600"

    def do(self, run: Run) -> Tpm:
        """Start it. The socket is ours from the beginning, so QEMU can call at once and is heard when it is ready."""
        program = process.find_tool(SWTPM.name, package=SWTPM.package, needed_for=SWTPM.needed_for)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        log = self.folder / "swtpm.log"
        with listening(self.socket, keep=True) as listener, log.open("ab") as output:
            number = listener.fileno()
            child = process.spawn(
                [
                    *(program, "socket", "--ctrl", f"type=unixio,fd={number}", "--tpmstate", self._state),
                    *(("--tpm2",) if self.version == "2.0" else ()),
                ],
                stdout=output,
                stderr=output,
                pass_fds=(number,),
                tie=not run.lasting,
            )
        return Tpm(pid=child.pid, socket=self.socket, log=log, child=child)

    def undo(self, run: Run, made: Tpm) -> None:
        """End it."""
        made.stop()

    def find(self, run: Run) -> Tpm | None:
        """By its folder on its command line."""
        pid = find_program("--tpmstate", self._state)
        return Tpm(pid=pid, socket=self.socket, log=self.folder / "swtpm.log") if pid is not None else None
