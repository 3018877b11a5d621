"""The program that carries a session's port to this host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.backends.amazon.errors import NoDataChannel
from packerpy.backends.amazon.steps.session import Session
from packerpy.contracts import Run, Step
from packerpy.kit import process

IN_ENVIRONMENT = "AWS_SSM_START_SESSION_RESPONSE"
"""The plug-in's own name for where it finds the session with its token, so that no other process sees them."""

_OPENED = re.compile(r"Port (\d+) opened")
_CONNECT = 60.0
"""Seconds that the program gets to open its port."""

_GRACE = 2.0
"""Seconds that it gets to end."""


@attrs.define(eq=False)
class Channel:
    """The running program.

    :ivar port: on this host's loopback; 0 until it is open.
    """

    process: subprocess.Popen[bytes]
    port: int = 0
    _printed: list[str] = attrs.field(factory=list)
    _told: threading.Event = attrs.field(factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        threading.Thread(target=self._listen, name="packerpy session", daemon=True).start()

    def _listen(self) -> None:
        """Read all that it prints, for as long as it lives: a full pipe would stop it."""
        assert self.process.stdout is not None  # noqa: S101  it was started with one
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            if not self.port:
                self._printed.append(text)
                if found := _OPENED.search(text):
                    self.port = int(found[1])
                    self._told.set()
        self._told.set()

    def wait(self, run: Run) -> None:
        """Until its port is open.

        :raises NoDataChannel: it has ended, or is silent.
        """
        with run.cancellation.calling(self._told.set):
            self._told.wait(_CONNECT)
        run.cancellation.check()
        if not self.port:
            raise NoDataChannel("\n".join(self._printed) or f"it said nothing within {_CONNECT:g} s")


@attrs.frozen(kw_only=True)
class OpenChannel(Step[Channel]):
    """Acquires the program. The kernel ends it with this process, so there is nothing to find after a crash.

    :ivar argv: its command line, in which there is no secret.
    :ivar environment: a file of ours (JSON) with what it gets besides our own; apart, for the journal must not have it.
    """

    argv: tuple[str, ...]
    environment: Path

    @property
    def title(self) -> str:
        """Which."""
        return f"data channel {self.environment.name}"

    def do(self, run: Run) -> Channel:
        """Start it, and wait until its port is open.

        :raises NoDataChannel: it does not open one.
        """
        more = json.loads(self.environment.read_text())
        self.environment.unlink()
        child = process.spawn(self.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **more})
        channel = Channel(child)
        try:
            channel.wait(run)
        except BaseException:
            process.stop(child)
            raise
        return channel

    def undo(self, run: Run, made: Channel) -> None:
        """End it; politely, for it tells Amazon that the session is over."""
        process.stop(made.process, grace=_GRACE)

    def find(self, run: Run) -> Channel | None:
        """It is gone."""
        return None


def environment_of(session: Session, credentials: Mapping[str, str]) -> Mapping[str, str]:
    """What the program needs: the session, and credentials with which it takes the session up again after a pause."""
    told = {"SessionId": session.id, "TokenValue": session.token, "StreamUrl": session.url}
    return {**credentials, IN_ENVIRONMENT: json.dumps(told)}
