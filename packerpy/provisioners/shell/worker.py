"""Runs the scripts."""

from __future__ import annotations

import secrets
import shlex
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath

import attrs

from packerpy.contracts import Communicator, Provisioner, Run, SupportsReconnect
from packerpy.errors import CancelledError, CommunicatorError, Disconnected, PluginError, ProvisionError
from packerpy.kit.process import last_lines
from packerpy.kit.text import text_of
from packerpy.provisioners.shell.specs import Shell
from packerpy.values import Command, Completed, Machine

_SIGNALLED = 128

_PIECE = 4096
"""Bytes of input that come whole or not at all: they fit into one packet, and into one write to a pipe."""


@attrs.frozen(kw_only=True)
class _Script:
    """One script, ready to be sent."""

    name: str
    content: bytes = attrs.field(repr=False)
    interpreter: str
    """Empty when the script's own first line names it."""
    shown: str


class ShellWorker(Provisioner):
    """Sends each script, runs it, removes it: one command for all three, where no terminal is wanted."""

    def __init__(self, spec: Shell) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        env = self._env(run)
        for script in self._scripts(run):
            self._run(run, channel, script, env)

    def _env(self, run: Run) -> dict[str, str]:
        return {name: text_of(run, value) for name, value in self._spec.env.items()}

    def _scripts(self, run: Run) -> list[_Script]:
        if self._spec.scripts:
            return [self._from_file(path) for path in self._spec.scripts]
        text = "\n".join(text_of(run, line) for line in self._spec.inline) + "\n"
        own = text.startswith("#!") and self._spec.interpreter is None
        return [
            _Script(
                name="the inline script",
                content=text.encode("utf-8", "surrogateescape"),
                interpreter="" if own else self._spec.interpreter or "/bin/sh -e",
                shown=text,
            )
        ]

    def _from_file(self, path: Path) -> _Script:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ProvisionError(f"cannot read the script {path}", details=error.strerror) from error
        if b"\0" not in content:  # a text; written on Windows it would name an interpreter that ends in \r
            content = content.replace(b"\r\n", b"\n")
        default = "" if content.startswith(b"#!") or b"\0" in content else "/bin/sh"
        return _Script(
            name=f"the script {path}", content=content, interpreter=self._spec.interpreter or default, shown=str(path)
        )

    def _run(self, run: Run, channel: Communicator, script: _Script, env: dict[str, str]) -> None:
        spec = self._spec
        place = PurePosixPath(spec.remote_folder) / f"packerpy-{secrets.token_hex(8)}.sh"
        line, stdin = _command_line(str(place), script.interpreter), None
        if spec.pty:
            _put(run, channel, script, place)
        else:
            line, stdin = _receiving(str(place), len(script.content)) + line, script.content
        command = Command(line=line, env=env, sudo=spec.sudo, stdin=stdin, pty=spec.pty, timeout=spec.timeout)
        started = time.monotonic()
        try:
            done = channel.run(command, sink=run.output)
        except Disconnected as error:
            if not spec.expect_disconnect:
                raise ProvisionError(
                    f"the machine hung up while {script.name} was running",
                    details=f"{script.shown.strip()}\n{error.details or ''}".strip(),
                    resolution="if it restarts the machine or its network, declare expect_disconnect=True",
                ) from error
            self._come_back(run, channel, place)
            return
        except CommunicatorError as error:
            self._remove(channel, place)
            brief = f"{script.name} could not be run"
            if spec.timeout is not None and time.monotonic() - started >= spec.timeout:
                brief = f"{script.name} did not end within {spec.timeout:g} s and was killed"
            raise ProvisionError(brief, details=f"{script.shown.strip()}\n{error}") from error
        except CancelledError:
            with run.shielded():  # the limit of time of a step that the build goes on after
                self._remove(channel, place)
            raise
        ended_by_shutdown = spec.expect_disconnect and done.exit_status > _SIGNALLED
        if done.exit_status not in spec.valid_exit_codes and not ended_by_shutdown:
            raise self._failed(script, done)
        if spec.expect_disconnect:
            self._come_back(run, channel, place)

    def _come_back(self, run: Run, channel: Communicator, place: PurePosixPath) -> None:
        if not isinstance(channel, SupportsReconnect):
            raise PluginError(
                "this machine's channel cannot be opened again after a restart",
                resolution="restart only machines that are reached over SSH",
            )
        run.say("waiting for the machine to come back")
        channel.reconnect(self._spec.reconnect_timeout)
        self._remove(channel, place)

    def _remove(self, channel: Communicator, place: PurePosixPath) -> None:
        """What was killed could not remove its script itself; when this fails, too, the first error says more."""
        with suppress(CommunicatorError):
            channel.run(Command(line=f"rm -f {shlex.quote(str(place))}", sudo=self._spec.sudo, timeout=30))

    def _failed(self, script: _Script, done: Completed) -> ProvisionError:
        code = done.exit_status
        how = f"exit code {code}" if code <= _SIGNALLED else f"exit code {code} (signal {code - _SIGNALLED})"
        said = last_lines(done.stdout + done.stderr) or "(it printed nothing)"
        return ProvisionError(
            f"{script.name} ended with {how}", details=f"{script.shown.strip()}\n--- its last output:\n{said}"
        )


def _put(run: Run, channel: Communicator, script: _Script, place: PurePosixPath) -> None:
    local = run.workdir / place.name
    try:
        local.touch(mode=0o600)
        local.write_bytes(script.content)
        channel.put(local, place, mode=0o700)
    finally:
        local.unlink(missing_ok=True)


def _command_line(place: str, interpreter: str) -> str:
    quoted = shlex.quote(place)
    start = f"{interpreter} {quoted}" if interpreter else f"chmod 700 {quoted} && {quoted}"
    return f"{start}; c=$?; rm -f {quoted}; exit $c"


def _receiving(place: str, size: int) -> str:
    """Writes the script from its input; half of one, left by a broken connection, is not run."""
    quoted = shlex.quote(place)
    whole = f"-s {quoted}" if 0 < size <= _PIECE else f'"$(wc -c <{quoted})" -eq {size}'
    return f"(umask 077; cat >{quoted}) && [ {whole} ] || {{ rm -f {quoted}; exit 255; }}; "
