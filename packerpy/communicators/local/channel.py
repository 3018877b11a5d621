"""The channel: every command, upload and download enters its place anew."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import IO

from packerpy.communicators.local.job import Job
from packerpy.communicators.local.places import Place
from packerpy.contracts import Communicator, OutputSink, Run, SupportsTree
from packerpy.errors import CommunicatorError
from packerpy.kit import tree_stream
from packerpy.kit.publish import writing
from packerpy.kit.tree_place import unpacking
from packerpy.kit.variables import check_variables
from packerpy.values import Command, Completed


class LocalChannel(Communicator, SupportsTree):
    """Commands in a tree, as its root, or on this host.

    :param run: whose cancellation ends commands.
    """

    def __init__(self, run: Run, place: Place) -> None:
        self._run, self._place = run, place
        self._closed = threading.Event()

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """See :class:`packerpy.contracts.Communicator`; in a tree it starts in the home folder of its root."""
        check_variables(command.env)
        shell = ["/bin/sh", "-c", command.line]
        job = self._start(shell, command.env, pty=command.pty, sudo=command.sudo, source=command.stdin)
        return job.finish(sink=sink, timeout=command.timeout, label=command.line)

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """Upload one file; it appears under its name when it is complete."""
        try:
            with source.open("rb") as file:
                bits = mode if mode is not None else os.fstat(file.fileno()).st_mode & 0o7777
                folder, name = shlex.quote(str(target.parent)), shlex.quote(str(target))
                part = shlex.quote(f"{target}.packerpy-part")
                steps = f"mkdir -p {folder} && cat > {part} && chmod {bits:o} {part} && mv -fT {part} {name}"
                self._do(f"{steps} || {{ rm -f {part}; exit 1; }}", f"upload {source} to {target}", source=file)
        except OSError as error:
            raise CommunicatorError(f"cannot read {source}", details=str(error)) from error

    def get(self, source: PurePath, target: Path) -> None:
        """Download one file."""
        with writing(target) as part, part.open("wb") as file:
            self._do(f"cat {shlex.quote(str(source))}", f"download {source}", target=file)

    def put_tree(self, source: Path, target: PurePath) -> None:
        """Upload the contents of a folder as one stream."""
        if not source.is_dir():
            raise CommunicatorError(f"there is no folder {source}")
        folder = shlex.quote(str(target))

        def feed(pipe: IO[bytes]) -> None:
            tree_stream.pack(source, pipe, skipped=lambda name: self._run.say(f"not uploaded, no file: {name}"))

        line = f"mkdir -p {folder} && tar -x -p --no-same-owner -C {folder} -f -"
        self._do(line, f"upload folder {source} to {target}", feed=feed)

    def get_tree(self, source: PurePath, target: Path) -> None:
        """Download the contents of a folder as one stream."""
        with unpacking(target) as place:

            def take(pipe: IO[bytes]) -> None:
                tree_stream.unpack(pipe, place, skipped=lambda name: self._run.say(f"not downloaded, no file: {name}"))
                while pipe.read(65536):
                    pass  # tar pads its end; it must not find a closed pipe

            self._do(f"tar -c -C {shlex.quote(str(source))} -f - .", f"download folder {source}", take=take)

    def close(self) -> None:
        """Refuse further commands; nothing is held open between them."""
        self._closed.set()

    def _start(
        self,
        argv: list[str],
        env: Mapping[str, str] | None = None,
        *,
        pty: bool = False,
        sudo: bool = False,
        source: bytes | IO[bytes] | None = None,
        target: IO[bytes] | None = None,
        piped: bool = False,
    ) -> Job:
        if self._closed.is_set():
            raise CommunicatorError("the channel is closed")
        return Job.start(
            self._run,
            self._place.argv(argv, pty=pty, sudo=sudo),
            self._place.environment(env or {}, pty=pty),
            pty=pty,
            source=source,
            target=target,
            piped=piped,
        )

    def _do(
        self,
        line: str,
        what: str,
        *,
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
        feed: Callable[[IO[bytes]], None] | None = None,
        take: Callable[[IO[bytes]], None] | None = None,
    ) -> None:
        """Run one of our own lines; whatever goes wrong is named after ``what``."""
        job = self._start(["/bin/sh", "-c", line], source=source, target=target, piped=feed is not None)
        try:
            done = job.finish(label=what, feed=feed, take=take)
        except OSError as error:
            raise CommunicatorError(f"could not {what}", details=str(error)) from error
        if not done.ok:
            raise CommunicatorError(f"could not {what}", details=done.stderr.strip() or f"exit code {done.exit_status}")
