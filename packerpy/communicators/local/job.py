"""One command in a tree while it runs."""

from __future__ import annotations

import codecs
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

import attrs

from packerpy.contracts import OutputSink, Run
from packerpy.errors import CommunicatorError
from packerpy.kit import process
from packerpy.values import Completed


@attrs.define
class Job:
    """A started command with its pipes.

    :ivar master: our side of its terminal, if it has one.
    """

    run: Run
    process: subprocess.Popen[bytes]
    master: IO[bytes] | None = None
    _timed_out: bool = False
    _threads: list[threading.Thread] = attrs.field(factory=list)
    _error: list[BaseException] = attrs.field(factory=list)

    @classmethod
    def start(
        cls,
        run: Run,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        pty: bool,
        source: bytes | IO[bytes] | None,
        target: IO[bytes] | None,
        piped: bool,
    ) -> Job:
        """Start it.

        :param source: what it reads.
        :param target: where its output goes; a pipe by default.
        :param piped: its input is a pipe that will be fed.
        """
        if pty:
            return cls._on_terminal(run, argv, env, source)
        with _readable(source) as file:
            stdin: int | IO[bytes] = subprocess.PIPE if piped else file
            started = process.spawn(
                argv, stdin=stdin, stdout=target or subprocess.PIPE, stderr=subprocess.PIPE, env=env
            )
        return cls(run, started)

    @classmethod
    def _on_terminal(
        cls, run: Run, argv: Sequence[str], env: Mapping[str, str], source: bytes | IO[bytes] | None
    ) -> Job:
        ours, theirs = os.openpty()
        master = os.fdopen(ours, "r+b", buffering=0)
        try:
            started = process.spawn(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
            if isinstance(source, bytes):
                master.write(source)
        except BaseException:
            master.close()
            raise
        finally:
            os.close(theirs)
        return cls(run, started, master)

    def finish(
        self,
        *,
        label: str,
        sink: OutputSink | None = None,
        timeout: float | None = None,
        feed: Callable[[IO[bytes]], None] | None = None,
        take: Callable[[IO[bytes]], None] | None = None,
    ) -> Completed:
        """Wait for its end, handing on what it prints.

        :param feed: writes its input.
        :param take: reads its output, which is not collected then.
        :raises CommunicatorError: it ran into its time limit.
        :raises packerpy.errors.CancelledError: the run was cancelled.
        """
        chunks: dict[str, list[str]] = {"stdout": [], "stderr": []}
        timer = threading.Timer(timeout, self._time_out) if timeout is not None else None
        try:
            with self.run.cancellation.calling(self._kill):
                if timer is not None:
                    timer.start()
                self._read_all(chunks, sink, feed, take)
                code = self.process.wait()
            self.run.cancellation.check()
        finally:
            if timer is not None:
                timer.cancel()
            self._close()
        if self._timed_out:
            raise CommunicatorError(
                f"a command did not end within {timeout:g} s and was killed: {label[:200]}",
                details=process.last_lines("".join(chunks["stdout"] + chunks["stderr"])) or None,
            )
        if self._error and code == 0:
            raise self._error[0]
        status = code if code >= 0 else 128 - code
        return Completed(exit_status=status, stdout="".join(chunks["stdout"]), stderr="".join(chunks["stderr"]))

    def _read_all(
        self,
        chunks: dict[str, list[str]],
        sink: OutputSink | None,
        feed: Callable[[IO[bytes]], None] | None,
        take: Callable[[IO[bytes]], None] | None,
    ) -> None:
        if self.master is not None:
            self._thread(lambda: _drain(self.master, chunks["stdout"], "stdout", sink))
        elif take is not None and self.process.stdout is not None:
            output = self.process.stdout
            self._thread(lambda: take(output))
        else:
            self._thread(lambda: _drain(self.process.stdout, chunks["stdout"], "stdout", sink))
        self._thread(lambda: _drain(self.process.stderr, chunks["stderr"], "stderr", sink))
        if feed is not None and self.process.stdin is not None:
            pipe = self.process.stdin
            self._thread(lambda: _feed(feed, pipe))
        for thread in self._threads:
            thread.join()

    def _thread(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
                self._error.append(error)
                self._kill()

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _time_out(self) -> None:
        self._timed_out = True
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads a session of its own

    def _close(self) -> None:
        process.stop(self.process)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr, self.master):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _feed(feed: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> None:
    try:
        feed(pipe)
    except BrokenPipeError:
        pass  # it ended early; its exit code and last words say why
    finally:
        with suppress(BrokenPipeError):
            pipe.close()


def _drain(pipe: IO[bytes] | None, chunks: list[str], stream: str, sink: OutputSink | None) -> None:
    if pipe is None:
        return
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while data := _read(pipe):
        _hand_on(decoder.decode(data), chunks, stream, sink)
    _hand_on(decoder.decode(b"", final=True), chunks, stream, sink)


def _read(pipe: IO[bytes]) -> bytes:
    try:
        return os.read(pipe.fileno(), 65536)
    except OSError:
        return b""  # a terminal whose other side is closed


def _hand_on(text: str, chunks: list[str], stream: str, sink: OutputSink | None) -> None:
    if text:
        chunks.append(text)
        if sink is not None:
            sink(stream, text)


def _readable(source: bytes | IO[bytes] | None) -> IO[bytes]:
    """A file to read from; bytes are put into one without a name, so that no pipe can fill up."""
    if isinstance(source, bytes):
        file = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        file.write(source)
        file.seek(0)
        return file
    return os.fdopen(os.dup(source.fileno()), "rb") if source is not None else open(os.devnull, "rb")  # noqa: PTH123
