"""A ``fabric.Connection`` that uses our open connection, with no second login."""

from __future__ import annotations

import secrets
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from packerpy.communicators.ssh import remote_script
from packerpy.contracts import OutputSink

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel


_KILL_TIMEOUT = 20.0
"""Seconds for killing what a function left running; a machine that hangs is not waited for longer."""


class BoundConnection(fabric.Connection):  # type: ignore[misc]  # the library has no types
    """Everything of fabric works; ``close()`` closes what was opened through it and leaves the channel open.

    :param channel: whose connection to use, also after it reconnected.
    :param sink: gets the output of commands that do not hide it.
    """

    def __init__(self, channel: SSHChannel, sink: OutputSink) -> None:
        host, port = channel.place
        run = {"in_stream": False, "out_stream": _Stream(sink, "stdout"), "err_stream": _Stream(sink, "stderr")}
        # Neither the user's ssh_config nor his fabric.yml has a say in how an image is built.
        config = fabric.Config(overrides={"run": run}, ssh_config=paramiko.SSHConfig(), lazy=True)
        super().__init__(host, user=channel.user, port=port, config=config)
        # Plain attributes would be taken for configuration keys.
        self._set(_channel=channel, _opened=weakref.WeakSet(), _mark=f"packerpy-{secrets.token_hex(12)}")
        self._bind()

    def _bind(self) -> None:
        self.client._transport = self._channel.transport  # noqa: SLF001  the library has no public door
        self.transport = self._channel.transport

    @property
    def is_connected(self) -> bool:
        """Whether the channel is."""
        return bool(self._channel.transport.is_active())

    def open(self) -> None:
        """Follow the channel; it is open already."""
        if self.transport is not self._channel.transport:
            self._bind()

    def create_session(self) -> paramiko.Channel:
        """A new session on the channel's connection."""
        self.open()
        with self._channel.opening:
            session: paramiko.Channel = self._channel.transport.open_session()
        self._opened.add(session)
        execute = session.exec_command
        session.exec_command = lambda command: execute(remote_script.marked(_text(command), self._mark))  # type: ignore[method-assign]
        return session

    def abandon(self) -> None:
        """Kill what still runs in the machine and close every session; whoever waits on one wakes up."""
        with suppress(paramiko.SSHException, OSError, EOFError):
            if any(not session.closed and not session.exit_status_ready() for session in list(self._opened)):
                self._kill()
        for session in list(self._opened):
            with suppress(paramiko.SSHException, OSError, EOFError):
                session.close()

    def _kill(self) -> None:
        """Over a session of its own: a server does not end what runs in a session that is closed."""
        with self._channel.opening:
            killer = self._channel.transport.open_session(timeout=_KILL_TIMEOUT)
        try:
            killer.exec_command(remote_script.kill_marked(self._mark, sudo=self._channel.user != "root"))
            killer.status_event.wait(_KILL_TIMEOUT)
        finally:
            killer.close()

    def close(self) -> None:
        """Close what was opened through this object, not the channel."""
        sftp, self._sftp = self._sftp, None  # type: ignore[has-type]  # the library has no types
        if sftp is not None:
            sftp.close()
        self.abandon()

    def run(self, command: str, **kwargs: Any) -> Any:
        """As fabric's."""
        return super().run(command, **_unheard(kwargs))

    def sudo(self, command: str, **kwargs: Any) -> Any:
        """As fabric's; root needs none."""
        if self._channel.user == "root" and not {"user", "password"} & kwargs.keys():
            return self.run(command, **kwargs)
        return super().sudo(command, **_unheard(kwargs))


def _text(command: Any) -> str:
    """The library takes texts and bytes."""
    return command if isinstance(command, str) else bytes(command).decode("utf-8", "surrogateescape")


_HIDES = {
    "out": ("out_stream",),
    "stdout": ("out_stream",),
    "err": ("err_stream",),
    "stderr": ("err_stream",),
    "both": ("out_stream", "err_stream"),
    True: ("out_stream", "err_stream"),
}


def _unheard(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The library never hides what has a stream of its own, as ours has: so that stream becomes a silent one."""
    return {**dict.fromkeys(_HIDES.get(kwargs.get("hide", False), ()), _Stream(_nobody, "")), **kwargs}


def _nobody(_stream: str, _text: str) -> None:
    """Hears nothing."""


class _Stream:
    """A text file that hands on what is written."""

    def __init__(self, sink: OutputSink, stream: str) -> None:
        self._sink, self._stream = sink, stream
        self.encoding = "utf-8"

    def write(self, text: str) -> int:
        self._sink(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False
