"""What steps that drive a tool in the machine share."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from packerpy.contracts import Communicator, Run, SupportsTree
from packerpy.declare import Secret
from packerpy.declare.later import Later
from packerpy.declare.values import Text
from packerpy.errors import CommunicatorError, Disconnected, ProvisionError
from packerpy.kit.process import last_lines
from packerpy.kit.text import text_of
from packerpy.values import Command, Completed


def freeze(value: Any) -> Any:
    """Nested lists and mappings as values that cannot change; mappings in sorted order."""
    if isinstance(value, Mapping):
        return MappingProxyType({str(key): freeze(value[key]) for key in sorted(value, key=str)})
    return tuple(freeze(item) for item in value) if isinstance(value, (list, tuple)) else value


def comparable(value: Any) -> Any:
    """A frozen value as something that can be compared and hashed."""
    if isinstance(value, Mapping):
        return tuple((key, comparable(item)) for key, item in value.items())
    return tuple(comparable(item) for item in value) if isinstance(value, tuple) else value


def plain(run: Run, value: Any) -> Any:
    """A frozen value as lists, dictionaries and text, with its secrets in clear; they are hidden from now on."""
    if isinstance(value, Mapping):
        return {key: plain(run, item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(run, item) for item in value]
    return text_of(run, value) if isinstance(value, (Secret, Later)) else value


def texts_of(run: Run, values: Mapping[str, Text]) -> dict[str, str]:
    """Text fields' texts."""
    return {name: text_of(run, value) for name, value in values.items()}


@contextmanager
def staging(run: Run, channel: Communicator) -> Iterator[PurePosixPath]:
    """A private folder in the machine, gone at the end whatever happens."""
    place = PurePosixPath("/tmp") / f"packerpy-{secrets.token_hex(8)}"  # noqa: S108  in the machine, made 0700
    demand(channel, Command(line=f"mkdir -m 700 {place}"))
    try:
        yield place
    finally:
        # Also when a limit of time or a cancel ended the step; a machine that is lost has nothing to remove.
        with suppress(CommunicatorError), run.shielded():
            channel.run(Command(line=f"rm -rf {place}", sudo=True, timeout=60))


def demand(channel: Communicator, command: Command) -> str:
    """The output of one of our own commands, which must go well."""
    done = channel.run(command)
    if not done.ok:
        raise ProvisionError(
            f"`{command.line}` ended with exit code {done.exit_status}", details=(done.stderr or done.stdout).strip()
        )
    return done.stdout


def upload(channel: Communicator, source: Path, target: PurePosixPath) -> None:
    """A file, or the contents of a folder."""
    try:
        _upload(channel, source, target)
    except Disconnected:
        raise
    except CommunicatorError as error:
        raise ProvisionError(f"cannot upload {source}", details=str(error)) from error


def _upload(channel: Communicator, source: Path, target: PurePosixPath) -> None:
    if source.is_file():
        channel.put(source, target)
    elif isinstance(channel, SupportsTree):
        channel.put_tree(source, target)
    else:
        demand(channel, Command(line=f"mkdir -p {shlex.quote(str(target))}"))
        for entry in sorted(source.iterdir()):
            _upload(channel, entry, target / entry.name)


def upload_text(run: Run, channel: Communicator, text: str, target: PurePosixPath) -> None:
    """A file with some content, which only the channel's user may read."""
    path = run.workdir / f"content-{secrets.token_hex(8)}"
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        channel.put(path, target, mode=0o600)
    finally:
        path.unlink(missing_ok=True)


def perform(run: Run, channel: Communicator, command: Command, name: str, *, ok: Iterable[int] = (0,)) -> Completed:
    """Run a tool, handing on what it says.

    :param name: what errors call it.
    :param ok: exit codes that mean success.
    :raises ProvisionError: it failed, with its last output.
    """
    try:
        done = channel.run(command, sink=run.output)
    except Disconnected:
        raise
    except CommunicatorError as error:
        raise ProvisionError(f"{name} could not be run", details=str(error)) from error
    if done.exit_status not in tuple(ok):
        said = last_lines(done.stdout + done.stderr) or "(it printed nothing)"
        raise ProvisionError(f"{name} ended with exit code {done.exit_status}", details=f"its last output:\n{said}")
    return done


def command_line(argv: Iterable[object]) -> str:
    """Words as a line for a shell."""
    return shlex.join(str(word) for word in argv)
