"""A ``fabric.Connection`` to a machine, whatever its channel is."""

from __future__ import annotations

import secrets
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

import fabric
import paramiko
from invoke.exceptions import UnexpectedExit

from packerpy.contracts import Communicator, OutputSink, Run
from packerpy.errors import CommunicatorError
from packerpy.values import Command, Machine


@runtime_checkable
class OffersFabric(Protocol):
    """Of a communicator: it has an SSH connection that fabric can use as it is."""

    def fabric(self, sink: OutputSink) -> Any:
        """A connection with ``abandon()``, which wakes whoever waits for one of its commands."""
        ...


def connection_to(run: Run, machine: Machine, channel: Communicator) -> Any:
    """A connection whose commands' output becomes the task's."""
    if isinstance(channel, OffersFabric):
        return channel.fabric(run.output)
    return ChannelConnection(run, machine, channel)


class ChannelConnection(fabric.Connection):  # type: ignore[misc]  # the library has no types
    """What of ``fabric.Connection`` makes sense without SSH: ``run``, ``sudo``, ``put``, ``get``, ``cd``, ``prefix``.

    Commands have no input, so ``in_stream`` and ``watchers`` are refused.
    """

    def __init__(self, run: Run, machine: Machine, channel: Communicator) -> None:
        config = fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True)
        super().__init__(machine.endpoint.host or machine.id, user=machine.endpoint.user, port=22, config=config)
        self._set(_run_context=run, _channel=channel)

    @property
    def is_connected(self) -> bool:
        """The channel is open as long as the step runs."""
        return True

    def open(self) -> None:
        """It is open."""

    def close(self) -> None:
        """The channel goes on."""

    def abandon(self) -> None:
        """The channel notices a cancel by itself."""

    def run(self, command: str, **options: Any) -> Any:
        """Run a command; options ``hide``, ``warn``, ``env``, ``pty``, ``timeout`` and ``echo`` are fabric's."""
        return self._carry_out(command, sudo=False, **options)

    def sudo(self, command: str, **options: Any) -> Any:
        """Run a command as root."""
        return self._carry_out(command, sudo=True, **options)

    def _carry_out(
        self,
        command: str,
        *,
        sudo: bool,
        hide: str | bool | None = None,
        warn: bool = False,
        env: dict[str, str] | None = None,
        pty: bool = False,
        timeout: float | None = None,
        echo: bool = False,
        **refused: Any,
    ) -> Any:
        if refused := {name: value for name, value in refused.items() if value not in (None, False, [], ())}:
            raise TypeError(f"not possible on a machine without SSH: {', '.join(sorted(refused))}")
        line = self._prefix_commands(command)
        hidden = {None: (), False: (), True: ("stdout", "stderr"), "both": ("stdout", "stderr")}.get(
            hide, ("stdout" if hide in ("out", "stdout") else "stderr",)
        )
        if echo:
            self._run_context.output("stdout", f"{line}\n")

        def sink(stream: str, text: str) -> None:
            if stream not in hidden:
                self._run_context.output(stream, text)

        done = self._channel.run(Command(line=line, env=env or {}, sudo=sudo, pty=pty, timeout=timeout), sink=sink)
        result = fabric.Result(
            connection=self,
            stdout=done.stdout,
            stderr=done.stderr,
            command=line,
            exited=done.exit_status,
            pty=pty,
            env=env or {},
            hide=hidden,
        )
        if not done.ok and not warn:
            raise UnexpectedExit(result)
        return result

    def put(self, local: Any, remote: str | None = None, *, preserve_mode: bool = True) -> str:
        """Upload a file (a path, or a file object); answers where it went."""
        scratch: Path | None = None
        if hasattr(local, "read"):
            data = local.read()
            scratch = self._run_context.workdir / f"put-{secrets.token_hex(8)}"
            scratch.write_bytes(data.encode() if isinstance(data, str) else data)
        source = scratch or Path(local)
        target = self._target(remote, getattr(local, "name", None) if scratch else source.name)
        try:
            self._channel.put(source, target, mode=None if preserve_mode and not scratch else 0o644)
        finally:
            if scratch is not None:
                scratch.unlink()
        return str(target)

    def _target(self, remote: str | None, name: str | None) -> PurePosixPath:
        """As fabric: no target is the working folder, a folder takes the file's own name."""
        place = PurePosixPath(self.cwd or ".") / (remote or "")
        if remote and not remote.endswith("/") and not self.run(f"test -d '{place}'", warn=True, hide=True).ok:
            return place
        if not name:
            raise CommunicatorError("a file object without a name needs a target", resolution="give put() a path")
        return place / PurePosixPath(name).name

    def get(self, remote: str, local: str | Path | None = None, *, preserve_mode: bool = True) -> str:
        """Download a file; answers where it is now."""
        source = PurePosixPath(self.cwd or ".") / remote
        target = Path(local) if local is not None else Path(source.name)
        if target.is_dir() or str(local or "").endswith("/"):
            target = target / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        self._channel.get(source, target)
        return str(target)
