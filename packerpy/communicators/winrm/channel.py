"""The open channel: each command in a remote shell of its own."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any

from packerpy.communicators.winrm import scripts
from packerpy.communicators.winrm.api import Access, Shell, translated
from packerpy.communicators.winrm.specs import WinRM
from packerpy.communicators.winrm.trees import pack, unpack
from packerpy.contracts import Communicator, OutputSink, Run, SupportsReconnect, SupportsTree
from packerpy.errors import CommunicatorError
from packerpy.kit.collected import Collected
from packerpy.kit.publish import writing
from packerpy.kit.tree_place import unpacking
from packerpy.kit.upload import must_be_folder, opened
from packerpy.kit.variables import check_variables
from packerpy.values import Command, Completed, Stream

if TYPE_CHECKING:
    from packerpy.communicators.winrm.connector import Wait

_LINE = 48 << 10
"""Bytes of a file in one line of base64."""

_SETTLE = 20.0
"""Seconds in which a machine that was told to restart stops to answer; Windows has no plain sign of it before."""

_LOOK = 1.0
"""Seconds between two looks at a machine that may be going down; each makes a remote shell."""


class WinRMChannel(Communicator, SupportsTree, SupportsReconnect):
    """Any number of threads may use it at once; each command has a connection to itself while it runs.

    A command's input is sent before its output is read.
    """

    def __init__(self, run: Run, access: Access, spec: WinRM, wait: Wait) -> None:
        self._run, self._access, self._spec, self._wait = run, access, spec, wait
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False
        self._boot = ""

    def greet(self) -> None:
        """Run the first command, and remember which boot of the machine this is.

        :raises CommunicatorError: it does not work, in whatever way.
        """
        self._boot = self._asked()

    def _asked(self) -> str:
        said: list[bytes] = []
        self._script(scripts.BOOT, "the question for the time of its start", output=said.append, timeout=120.0)
        return b"".join(said).decode(errors="replace").strip()

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """See :class:`packerpy.contracts.Communicator`; ``sudo`` means nothing here, and there are no terminals."""
        if command.pty:
            raise CommunicatorError("there are no terminals over WinRM", resolution="take pty=True away, or use SSH()")
        line = command.line
        if self._spec.shell == "powershell":
            line = scripts.command_line(line)
        return self._completed(line, command, sink)

    def powershell(self, script: str, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """Run a PowerShell script, whatever ``shell`` is declared; of ``command`` all but its line counts.

        :raises CommunicatorError: as :meth:`run`; also when it is too long for a command line.
        """
        return self._completed(scripts.command_line(script), command, sink)

    def _completed(self, line: str, command: Command, sink: OutputSink | None) -> Completed:
        collected = Collected(sink)
        label = f"`{command.line[:200]}`"
        with collected.explaining():
            status = self._execute(line, label, collected, command.env, [command.stdin or b""], command.timeout)
        return collected.completed(status)

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """See :class:`packerpy.contracts.Communicator`; Windows has no mode bits, and ``mode`` is passed over."""
        with opened(source) as file:
            self._put(file, target, f"the upload of {source} to {target}")

    def _put(self, file: IO[bytes], target: PurePath, label: str) -> None:
        size = os.fstat(file.fileno()).st_size
        script = scripts.filled(
            scripts.PUT,
            path=scripts.quoted(str(target)),
            token=f"packerpy-{secrets.token_hex(8)}",
            size=str(size),
        )
        self._script(script, label, feed=_lines(file))

    def get(self, source: PurePath, target: Path) -> None:
        """See :class:`packerpy.contracts.Communicator`."""
        with writing(target) as path, path.open("wb") as file:
            self._get(source, file, f"the download of {source} to {target}")

    def _get(self, source: PurePath, file: IO[bytes], label: str) -> None:
        decoder = _Decoder(file)
        self._script(scripts.filled(scripts.GET, path=scripts.quoted(str(source))), label, output=decoder.take)
        decoder.finish()

    def put_tree(self, source: Path, target: PurePath) -> None:
        """See :class:`packerpy.contracts.SupportsTree`; links arrive as what they point to."""
        must_be_folder(source)
        label = f"the upload of {source} to {target}"
        with tempfile.TemporaryFile(dir=self._run.workdir) as packed, self._there() as archive:
            try:
                pack(source, packed, say=self._run.say)
            except OSError as error:
                raise CommunicatorError(f"cannot read {error.filename or source}", details=str(error)) from error
            packed.seek(0)
            self._put(packed, archive, label)
            places = {"zip": scripts.quoted(str(archive)), "path": scripts.quoted(str(target))}
            self._script(scripts.filled(scripts.UNZIP, **places), label)

    def get_tree(self, source: PurePath, target: Path) -> None:
        """See :class:`packerpy.contracts.SupportsTree`."""
        label = f"the download of {source} to {target}"
        with tempfile.TemporaryFile(dir=self._run.workdir) as packed, self._there() as archive:
            places = {"zip": scripts.quoted(str(archive)), "path": scripts.quoted(str(source))}
            self._script(scripts.filled(scripts.ZIP, **places), label)
            self._get(archive, packed, label)
            packed.seek(0)
            try:
                with unpacking(target) as place:
                    unpack(packed, place)
            except (OSError, zipfile.BadZipFile) as error:
                raise CommunicatorError(f"{label} failed", details=str(error)) from error

    @contextmanager
    def _there(self) -> Iterator[PurePath]:
        """The name of a file in the machine that is gone in the end."""
        path = self._spec.temp_folder / f"packerpy-{secrets.token_hex(8)}.zip"
        try:
            yield path
        finally:
            with suppress(CommunicatorError):
                self._script(scripts.filled(scripts.REMOVE, path=scripts.quoted(str(path))), "the end of an upload")

    def reconnect(self, timeout: float) -> None:
        """See :class:`packerpy.contracts.SupportsReconnect`.

        A machine that answers, and still does so with the same start time after 20 s, was not restarted.
        """
        deadline = time.monotonic() + timeout
        settled = time.monotonic() + min(_SETTLE, timeout)
        self._forget()
        while time.monotonic() < settled:
            try:
                now = self._asked()
            except CommunicatorError:
                break  # it went down
            if now != self._boot:
                self._boot = now
                return
            self._run.wait(_LOOK)
        self._forget()
        self._wait.until_it_works(self, max(1.0, deadline - time.monotonic()))

    def close(self) -> None:
        """See :class:`packerpy.contracts.Communicator`."""
        self._closed = True
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def _script(
        self,
        script: str,
        label: str,
        *,
        feed: Iterable[bytes] = (),
        output: Callable[[bytes], object] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Run one of our own scripts; another exit code than 0 is an error."""
        complaints: list[bytes] = []

        def take(stream: Stream, data: bytes) -> None:
            if stream == "stderr":
                complaints.append(data)
            elif output is not None:
                output(data)

        status = self._execute(scripts.command_line(script), label, take, {}, feed, timeout)
        if status:
            said = b"".join(complaints).decode(errors="replace").strip()
            raise CommunicatorError(f"{label} failed", details=said or f"exit code {status}")

    def _execute(
        self,
        line: str,
        label: str,
        output: Callable[[Stream, bytes], None],
        env: Mapping[str, str],
        feed: Iterable[bytes],
        timeout: float | None,
    ) -> int:
        if self._closed:
            raise CommunicatorError("the channel is closed")
        self._run.cancellation.check()
        if len(line) > scripts.LONGEST:
            raise CommunicatorError(
                f"{label} is too long for a command line of Windows",
                details=f"{len(line)} characters, at most {scripts.LONGEST}",
                resolution="upload it as a file, and run that",
            )
        check_variables(env)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._client() as client, translated(label, self._access.user):
            shell = Shell(client, line, env)
            try:
                shell.start()
                for _ in shell.send(feed):
                    self._still(deadline, timeout, label)
                while True:
                    out, err, status = shell.poll()
                    if out:
                        output("stdout", out)
                    if err:
                        output("stderr", err)
                    if status is not None:
                        return status
                    self._still(deadline, timeout, label)
            finally:
                shell.close()

    def _still(self, deadline: float | None, timeout: float | None, label: str) -> None:
        self._run.cancellation.check()
        if deadline is not None and time.monotonic() >= deadline:
            raise CommunicatorError(f"{label} did not end within {timeout:g} s and was killed")

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """A connection for one command; one that failed is not used again."""
        with self._lock:
            client = self._idle.pop() if self._idle else None
        if client is None:
            client = self._access.open()
        try:
            yield client
        except BaseException:
            client.close()
            raise
        with self._lock:
            self._idle.append(client)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while data := file.read(_LINE):
        yield base64.b64encode(data) + b"\r\n"


class _Decoder:
    """Writes lines of base64, as they come, to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._rest = file, b""

    def take(self, data: bytes) -> None:
        """One piece of output, which may end in the middle of a line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._file.write(base64.b64decode(line))

    def finish(self) -> None:
        """What has no line end."""
        self._file.write(base64.b64decode(self._rest))
