"""Moves it."""

from __future__ import annotations

import secrets
import shlex
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from packerpy.contracts import Communicator, Provisioner, Run, SupportsTree
from packerpy.errors import CommunicatorError, Disconnected, OutputError, PluginError, ProvisionError
from packerpy.kit.text import text_of
from packerpy.provisioners.file.specs import File
from packerpy.values import Command, Machine

_CONTENT_MODE = 0o644


class FileWorker(Provisioner):
    """Straight to its place where the channel's user may write there, by way of a private place otherwise."""

    def __init__(self, spec: File) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        move = _Download(run, channel, self._spec) if self._spec.direction == "download" else None
        try:
            if move is not None:
                move.apply()
            else:
                self._upload(run, channel)
        except Disconnected:
            raise
        except (CommunicatorError, OutputError, OSError) as error:
            raise ProvisionError(f"cannot {self._spec.title}", details=str(error)) from error

    def _upload(self, run: Run, channel: Communicator) -> None:
        spec = self._spec
        if spec.source is None:
            with self._rendered(run) as path:
                mode = _CONTENT_MODE if spec.mode is None else spec.mode
                _Upload(channel, spec).file(path, PurePosixPath(spec.to), mode)
            return
        source, target = Path(spec.source), PurePosixPath(spec.to)
        if source.is_dir():
            contents = spec.source.endswith("/")
            _Upload(channel, spec).folder(source, target if contents else target / source.resolve().name)
            return
        if not source.exists():
            raise ProvisionError(f"cannot {spec.title}", details=f"there is no file or folder {source}")
        _Upload(channel, spec).file(source, target / source.name if spec.to.endswith("/") else target, spec.mode)

    @contextmanager
    def _rendered(self, run: Run) -> Iterator[Path]:
        """The content as a private file; it may hold secrets."""
        spec = self._spec
        if spec.template is not None:
            values = {name: text_of(run, value) for name, value in spec.values.items()}
            text = string.Template(spec.template.read_text(encoding="utf-8")).substitute(values)
        else:
            text = text_of(run, spec.content or "")
        path = run.workdir / f"content-{secrets.token_hex(8)}"
        try:
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
            yield path
        finally:
            path.unlink(missing_ok=True)


class _Upload:
    def __init__(self, channel: Communicator, spec: File) -> None:
        self._channel, self._spec = channel, spec
        self._staged = spec.sudo or spec.owner is not None

    def file(self, source: Path, target: PurePosixPath, mode: int | None) -> None:
        """One file."""
        bits = source.stat().st_mode & 0o7777 if mode is None else mode
        if not self._staged:
            self._channel.put(source, target, mode=bits)
            return
        with self._staging() as place:
            self._channel.put(source, place / "file", mode=0o600)
            beside = target.parent / f".{place.name}"
            final, new = shlex.quote(str(target)), shlex.quote(str(beside))
            self._as_root(
                f"[ ! -d {final} ] || {{ echo {final} is a folder >&2; exit 21; }}; "
                f"mkdir -p {shlex.quote(str(target.parent))} && cp {place}/file {new} && chown {self._owner} {new} "
                f"&& chmod {bits:o} {new} && mv -f {new} {final} || {{ rm -f {new}; exit 1; }}"
            )

    def folder(self, source: Path, target: PurePosixPath) -> None:
        """The contents of a folder, into a folder."""
        if not self._staged:
            _put_tree(self._channel, source, target)
            return
        with self._staging() as place:
            _put_tree(self._channel, source, place / "tree")
            final = shlex.quote(str(target))
            # Entry by entry: copying `tree/.` would give the target folder itself the mode of the temporary one.
            self._as_root(
                f"chown -hR {self._owner} {place}/tree && mkdir -p {final} && "
                f"find {place}/tree -mindepth 1 -maxdepth 1 -exec cp -a {{}} {final}/ \\;"
            )

    @property
    def _owner(self) -> str:
        return shlex.quote(self._spec.owner or "root:root")

    @contextmanager
    def _staging(self) -> Iterator[PurePosixPath]:
        """A private folder in the machine."""
        place = PurePosixPath("/tmp") / f"packerpy-{secrets.token_hex(8)}"  # noqa: S108  in the machine, made 0700
        _demand(self._channel, Command(line=f"mkdir -m 700 {place}"))
        try:
            yield place
        finally:
            self._channel.run(Command(line=f"rm -rf {place}", sudo=True))

    def _as_root(self, line: str) -> None:
        _demand(self._channel, Command(line=line, sudo=True))


class _Download:
    def __init__(self, run: Run, channel: Communicator, spec: File) -> None:
        self._run, self._channel, self._spec = run, channel, spec

    def apply(self) -> None:
        """A file or a folder, whichever it is."""
        spec = self._spec
        source = PurePosixPath(spec.source or "")
        target = Path(spec.to)
        folder = self._channel.run(Command(line=f"test -d {shlex.quote(str(source))}", sudo=spec.sudo)).ok
        if folder:
            target = target if (spec.source or "").endswith("/") else target / source.name
        elif spec.to.endswith("/"):
            target = target / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not spec.sudo:
            self._fetch(source, target, folder=folder)
            return
        with self._readable(source) as copy:
            self._fetch(copy, target, folder=folder)

    def _fetch(self, source: PurePosixPath, target: Path, *, folder: bool) -> None:
        if not folder:
            self._channel.get(source, target)
            if self._spec.mode is not None:
                target.chmod(self._spec.mode)
        elif isinstance(self._channel, SupportsTree):
            self._channel.get_tree(source, target)
        else:
            raise PluginError("this machine's channel cannot download folders", resolution="download single files")

    @contextmanager
    def _readable(self, source: PurePosixPath) -> Iterator[PurePosixPath]:
        """A copy that the channel's user may read, and nobody else."""
        place = PurePosixPath("/tmp") / f"packerpy-{secrets.token_hex(8)}"  # noqa: S108  in the machine, made 0700
        user = _demand(self._channel, Command(line="id -u")).strip()
        line = f"mkdir -m 700 {place} && cp -a {shlex.quote(str(source))} {place}/copy && chown -hR {user} {place}"
        try:
            _demand(self._channel, Command(line=line, sudo=True))
            yield place / "copy"
        finally:
            self._channel.run(Command(line=f"rm -rf {place}", sudo=True))


def _put_tree(channel: Communicator, source: Path, target: PurePosixPath) -> None:
    if isinstance(channel, SupportsTree):
        channel.put_tree(source, target)
        return
    _demand(channel, Command(line=f"mkdir -p {shlex.quote(str(target))}"))
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_symlink():
            link = shlex.quote(str(entry.readlink()))
            _demand(channel, Command(line=f"ln -sfn {link} {shlex.quote(str(place))}"))
        elif entry.is_dir():
            _put_tree(channel, entry, place)
        elif entry.is_file():
            channel.put(entry, place)


def _demand(channel: Communicator, command: Command) -> str:
    done = channel.run(command)
    if not done.ok:
        brief = f"`{command.line}` ended with exit code {done.exit_status}"
        raise CommunicatorError(brief, details=done.stderr.strip())
    return done.stdout
