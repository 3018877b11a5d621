"""The open channel: commands and files by way of the guest agent."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from packerpy.communicators.agent import guest_script, transfer
from packerpy.communicators.agent.guest_script import User
from packerpy.communicators.agent.job import Job, Request
from packerpy.communicators.agent.session import AgentSession
from packerpy.communicators.agent.uploads import Uploads
from packerpy.contracts import Communicator, OutputSink, Run, SupportsReconnect, SupportsResume, SupportsTree
from packerpy.errors import CommunicatorError, Disconnected
from packerpy.kit.collected import Collected
from packerpy.kit.publish import writing
from packerpy.kit.upload import opened
from packerpy.values import Command, Completed

if TYPE_CHECKING:
    from packerpy.communicators.agent.connector import Dialer

_PAUSE = 0.5
"""Seconds between two looks at a machine that is going down."""


class AgentChannel(Communicator, SupportsTree, SupportsReconnect, SupportsResume):
    """One connection to one agent; any number of threads may use it at once.

    How fast, see :mod:`packerpy.communicators.agent.transfer`.
    """

    def __init__(self, run: Run, dialer: Dialer, session: AgentSession, uploads: Uploads) -> None:
        self._run, self._dialer, self.session, self.uploads = run, dialer, session, uploads
        self.scratch = run.workdir
        self._closed = False

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """See :class:`packerpy.contracts.Communicator`."""
        if command.pty and "script" not in self.session.abilities:
            raise CommunicatorError(
                "the machine has no `script` program, so there are no terminals",
                resolution="install bsdutils, or use SSH()",
            )
        collected = Collected(sink)
        request = Request(
            line=command.line,
            env=command.env,
            output=collected,
            user=User() if command.sudo else self.session.user,
            pty=command.pty,
            timeout=command.timeout,
            label=f"`{command.line[:200]}`",
        )
        with collected.explaining(), transfer.fed(self, request, command.stdin) as fed:
            status = Job(self.session, fed).run()
        return collected.completed(status)

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """See :class:`packerpy.contracts.Communicator`; missing parent folders are made."""
        with opened(source) as file:
            status = os.fstat(file.fileno())
            line = guest_script.put_file(
                str(target),
                str(target.parent / f".packerpy-{secrets.token_hex(8)}"),
                str(target.parent),
                size=status.st_size,
                mode=status.st_mode & 0o7777 if mode is None else mode,
                user=self.session.user,
            )
            transfer.send(self, line, f"the upload of {source} to {target}", file)

    def get(self, source: PurePath, target: Path) -> None:
        """See :class:`packerpy.contracts.Communicator`; read as root, whoever the user is."""
        with writing(target) as path, path.open("wb") as file:
            transfer.fetch_file(self, str(source), f"the download of {source} to {target}", file)

    def put_tree(self, source: Path, target: PurePath) -> None:
        """See :class:`packerpy.contracts.SupportsTree`."""
        transfer.put_tree(self, source, target, say=self._run.say)

    def get_tree(self, source: PurePath, target: Path) -> None:
        """See :class:`packerpy.contracts.SupportsTree`."""
        transfer.get_tree(self, source, target, say=self._run.say)

    def known(self) -> Mapping[str, str]:
        """See :class:`packerpy.contracts.SupportsResume`."""
        return self.session.known

    def reconnect(self, timeout: float) -> None:
        """See :class:`packerpy.contracts.SupportsReconnect`.

        Also what to call after the machine was restored from a snapshot: answers to what was asked before are dropped.
        A machine that runs and will go on to, is only spoken to anew.
        """
        deadline = time.monotonic() + timeout
        self.uploads.reset()
        old = self.session
        while True:
            left = max(0.1, deadline - time.monotonic())
            if old.wire.closed:
                old.wire.close()
                self.session = self._dialer.dial(left)
                return
            try:
                session = self._dialer.resume(old.wire, left, timeout)
                boot, *stopping = session.capture(guest_script.going_down()).splitlines()
            except Disconnected:
                self._dialer.check()  # it went down, or its socket was closed, between two questions
                continue
            if boot != old.boot or not stopping:
                self.session = session
                old.abandon()
                return
            session.abandon()
            if time.monotonic() >= deadline:
                raise CommunicatorError(
                    f"the machine is going down, but was not gone within {timeout:g} s",
                    resolution="look at its console; raise the time limit if it only needs longer",
                )
            self._run.wait(_PAUSE)

    def close(self) -> None:
        """See :class:`packerpy.contracts.Communicator`."""
        if not self._closed:
            self._closed = True
            self.uploads.close()
            self.session.close()
            self.session.wire.close()
