"""One command: started by the agent, its output written to files in the machine's memory and read as it grows.

The agent tells nothing by itself and would hand out output only at the end, so it is asked: how does the command do,
and what is new in its two files. These three questions travel together, at first every 0.02 s, then ever more seldom,
as each costs the guest some work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from packerpy.communicators.agent import guest_script
from packerpy.communicators.agent.guest_script import User
from packerpy.communicators.agent.wire import AgentRefused, Ask, Waiting, decoded, encoded
from packerpy.errors import CommunicatorError, Disconnected
from packerpy.values import Stream

if TYPE_CHECKING:
    from packerpy.communicators.agent.session import AgentSession

_PAUSES = (0.02, 0.2)
"""Seconds between two looks, at least and at most; in between a tenth of the command's age."""

_READ = (1 << 16, 1 << 20)
"""Bytes asked for in one look, at first and while there is more."""

_PUNCH = 8 << 20
"""Bytes of output that were read and still take the machine's memory, at most (if ``fallocate`` is there)."""

_KILL_TIMEOUT = 10.0
"""Seconds for the kill; an agent that is gone cannot be told."""


@attrs.frozen(kw_only=True)
class Request:
    """What a job does.

    :ivar feed: what the command reads, if that fits into one request.
    :ivar feed_file: else the machine's file that holds it.
    :ivar folder: where output is written; by default in the machine's memory.
    :ivar output: called in the caller's thread with each piece of output.
    :ivar label: what errors call the command.
    """

    line: str
    env: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    feed: bytes | None = attrs.field(default=None, repr=False)
    feed_file: str | None = None
    folder: str | None = None
    output: Callable[[Stream, bytes], None]
    user: User = attrs.field(factory=User)
    pty: bool = False
    timeout: float | None = None
    label: str = "the command"


class _TimeUpError(Exception):
    """The command's time is over."""


@attrs.define
class _File:
    """An output file as we see it."""

    name: str
    handle: int
    stream: Stream
    read: int = 0
    punched: int = 0
    ended: bool = False


class Job:
    """Runs one :class:`Request`, once."""

    def __init__(self, session: AgentSession, request: Request) -> None:
        self._session, self._wire, self._request = session, session.wire, request
        self._base = f"{request.folder or session.folder}/{session.new_name()}"
        self._deadline = None if request.timeout is None else time.monotonic() + request.timeout
        self._cancelled = threading.Event()
        self._files: list[_File] = []
        self._pid: int | None = None

    def run(self) -> int:
        """Answer the exit status; 128 + n when signal n ended it.

        :raises Disconnected: the agent, or the machine, was lost.
        :raises CommunicatorError: it could not be started, or its time was up.
        :raises CancelledError: the run was cancelled.
        """
        self._session.cancellation.check()
        asked = self._asked()
        ended = False
        posted: list[Waiting] = []
        try:
            with self._session.cancellation.calling(self._cancelled.set):
                try:
                    posted = self._wire.post(*asked, check=self._check)
                    self._begin(posted)
                    status = self._follow()
                    ended = True
                except _TimeUpError:
                    raise CommunicatorError(
                        f"{self._request.label} did not end within {self._request.timeout:g} s and was killed"
                    ) from None
                except AgentRefused as error:
                    ended = self._pid is not None
                    raise self._refused(error) from error
                finally:
                    if posted and not ended:
                        self._kill(posted[-1])
        finally:
            self._tidy(posted)
        return status

    def _asked(self) -> list[Ask]:
        request = self._request
        env = guest_script.environment(request.env, request.user)
        if request.pty:
            env.append(f"PACKERPY_LINE={request.line}")
        if "\0" in request.line:
            raise CommunicatorError("a command or an environment variable holds a NUL character")
        program: dict[str, Any] = {
            "path": "setsid",
            "arg": guest_script.arguments(
                self._base, request.line, user=request.user, pty=request.pty, feed=request.feed_file
            ),
            "env": env,
        }
        if request.feed:
            program["input-data"] = encoded(request.feed)
        # Opened for writing as well, which makes them; the command appends.
        return [
            *(Ask("guest-file-open", {"path": f"{self._base}.{end}", "mode": "w+"}) for end in ("out", "err")),
            Ask("guest-exec", program),
        ]

    def _begin(self, posted: list[Waiting]) -> None:
        streams: tuple[Stream, Stream] = ("stdout", "stderr")
        for stream, end, waiting in zip(streams, ("out", "err"), posted[:2], strict=True):
            handle = self._wire.wait(waiting, self._check).value()
            self._files.append(_File(f"{self._base}.{end}", int(handle), stream))
        self._pid = int(self._wire.wait(posted[2], self._check).value()["pid"])

    def _follow(self) -> int:
        """Hand on output until the command has ended and all of it was read."""
        started = time.monotonic()
        count, (least, most) = _READ[0], _PAUSES
        while True:
            status, full = self._look(count)
            if status["exited"]:
                while not all(file.ended for file in self._files):
                    self._look(_READ[1], ask_status=False)
                return _exit_status(status)
            if full:
                count = _READ[1]
                continue
            count = _READ[0]
            self._cancelled.wait(min(most, max(least, 0.1 * (time.monotonic() - started))))
            self._check()

    def _look(self, count: int, *, ask_status: bool = True) -> tuple[dict[str, Any], bool]:
        """What is new; answers the command's state and whether there is more to read."""
        asked = [Ask("guest-exec-status", {"pid": self._pid})] if ask_status else []
        reading = [file for file in self._files if ask_status or not file.ended]
        asked += [Ask("guest-file-read", {"handle": file.handle, "count": count}) for file in reading]
        answers = self._wire.ask(*asked, check=self._check)
        full = False
        for file, answer in zip(reading, answers[len(answers) - len(reading) :], strict=True):
            data = decoded(answer["buf-b64"]) if answer["count"] else b""
            file.ended = bool(answer["eof"])
            full = full or not file.ended
            if data:
                file.read += len(data)
                self._request.output(file.stream, data)
                self._punch(file)
        return (answers[0] if ask_status else {}), full

    def _punch(self, file: _File) -> None:
        """Give back the memory of what was read."""
        if file.read - file.punched < _PUNCH or "fallocate" not in self._session.abilities:
            return
        file.punched = file.read
        self._session.start(f"fallocate -p -o 0 -l {file.read} {file.name}")

    def _check(self) -> None:
        self._session.cancellation.check()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise _TimeUpError
        self._session.check_alive()

    def _kill(self, started: Waiting) -> None:
        """Kill the command's group and see it end; an agent that does not answer is left alone."""
        deadline = time.monotonic() + _KILL_TIMEOUT

        def check() -> None:
            if time.monotonic() > deadline:
                raise Disconnected("the guest agent does not answer")

        with suppress(CommunicatorError):
            if self._pid is None:
                self._pid = int(self._wire.wait(started, check).value()["pid"])
            self._session.start(guest_script.kill(self._pid), check=check)
            while not self._wire.ask(Ask("guest-exec-status", {"pid": self._pid}), check=check)[0]["exited"]:
                time.sleep(_PAUSES[0])  # the agent has no event for it

    def _tidy(self, posted: list[Waiting]) -> None:
        """Close and forget the files, without waiting for an answer."""
        handles = [waiting.reply for waiting in posted[:2] if waiting.done and isinstance(waiting.reply, int)]
        with suppress(CommunicatorError):
            self._wire.post(
                *(Ask("guest-file-close", {"handle": handle}) for handle in handles), check=self._session.check_alive
            )
        if posted:
            self._session.discard(self._base, size=sum(file.read - file.punched for file in self._files))

    def _refused(self, error: AgentRefused) -> CommunicatorError:
        label = self._request.label
        if self._pid is not None or (error.details and "No such file" in error.details and not self._files):
            return Disconnected(
                f"the machine, or its guest agent, was restarted while {label} was running"
                if self._pid is not None
                else f"the machine was restarted, {label} was not started",
                details=error.details,
                resolution="if the command restarts the machine, declare expect_disconnect=True; "
                "else look at the console",
            )
        return CommunicatorError(
            f"{label} could not be started",
            details=error.details,
            resolution="the machine needs setsid (util-linux), /bin/sh, and an agent that may run programs",
        )


def _exit_status(status: Mapping[str, Any]) -> int:
    return 128 + int(status["signal"]) if "signal" in status else int(status.get("exitcode", 0))
