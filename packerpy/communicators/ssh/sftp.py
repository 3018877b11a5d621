"""Files over SFTP: needs no shell in the machine."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING

import paramiko

from packerpy.communicators.ssh.session import still_connected
from packerpy.contracts import Run
from packerpy.errors import CommunicatorError, Disconnected

if TYPE_CHECKING:
    from packerpy.communicators.ssh.channel import SSHChannel

_WINDOW = 1 << 21

_PATIENCE = 60.0
"""Seconds for the server to start a session; sshd on a busy emulated machine needs some."""


class SftpMover:
    """One session for each transfer; see :class:`packerpy.communicators.ssh.movers.Mover`."""

    def __init__(self, channel: SSHChannel, run: Run) -> None:
        self._channel, self._run = channel, run

    def put(self, file: IO[bytes], target: PurePath, mode: int, label: str) -> None:
        """See there."""
        with self._session(label) as sftp:
            if _is_folder(sftp, target):
                raise CommunicatorError(f"{label} failed", details=f"{target} is a folder")
            _make_folders(sftp, target.parent)
            self._put_file(sftp, file, target, mode)

    def get(self, source: PurePath, file: IO[bytes], label: str) -> None:
        """See there."""
        with self._session(label) as sftp:
            if _is_folder(sftp, source):
                raise CommunicatorError(f"{label} failed", details=f"{source} is a folder")
            sftp.getfo(str(source), file, callback=self._still)

    def put_tree(self, source: Path, target: PurePath, label: str) -> None:
        """See there."""
        with self._session(label) as sftp:
            _make_folders(sftp, target)
            self._put_folder(sftp, source, target)

    def get_tree(self, source: PurePath, target: Path, label: str) -> None:
        """See there."""
        with self._session(label) as sftp:
            if not _is_folder(sftp, source):
                raise CommunicatorError(f"{label} failed", details=f"{source} is not a folder")
            self._get_folder(sftp, source, target)

    @contextmanager
    def _session(self, label: str) -> Iterator[paramiko.SFTPClient]:
        transport = self._channel.transport
        try:
            with self._channel.opening:
                session = transport.open_session(window_size=_WINDOW, timeout=_PATIENCE)
            with session, self._run.cancellation.calling(session.close):
                session.invoke_subsystem("sftp")
                yield paramiko.SFTPClient(session)
        except CommunicatorError:
            raise
        except (UnicodeEncodeError, UnicodeDecodeError) as error:
            details = f"a name is not UTF-8, which the SFTP library needs: {error.object!r}"[:300]
            raise CommunicatorError(f"{label} failed", details=details) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._run.cancellation.check()
            # An error with a number is an answer of the server.
            if getattr(error, "errno", None) is None and not still_connected(transport):
                raise Disconnected(f"the SSH connection was lost during {label}") from error
            raise CommunicatorError(f"{label} failed", details=_explained(error)) from error

    def _still(self, _done: int, _total: int) -> None:
        self._run.cancellation.check()

    def _put_file(self, sftp: paramiko.SFTPClient, file: IO[bytes], target: PurePath, mode: int) -> None:
        temporary = str(target.parent / f".packerpy-{secrets.token_hex(8)}")
        try:
            sftp.putfo(file, temporary, callback=self._still)  # compares the size in the end
            sftp.chmod(temporary, mode)
            _rename(sftp, temporary, str(target))
        except BaseException:
            with suppress(OSError, EOFError, paramiko.SSHException):
                sftp.remove(temporary)
            raise

    def _put_folder(self, sftp: paramiko.SFTPClient, source: Path, target: PurePath) -> None:
        for path in sorted(source.iterdir()):
            self._run.cancellation.check()
            place, status = target / path.name, path.lstat()
            if stat.S_ISLNK(status.st_mode):
                _replace_link(sftp, str(path.readlink()), str(place))
            elif stat.S_ISDIR(status.st_mode):
                made = _make_folder(sftp, place)
                self._put_folder(sftp, path, place)
                if made:
                    sftp.chmod(str(place), status.st_mode & 0o7777)
                    sftp.utime(str(place), (status.st_atime, status.st_mtime))
            elif stat.S_ISREG(status.st_mode):
                with path.open("rb") as file:
                    self._put_file(sftp, file, place, status.st_mode & 0o7777)
                sftp.utime(str(place), (status.st_atime, status.st_mtime))
            else:
                self._run.say(f"not uploaded, because it is no file, folder or link: {path}")

    def _get_folder(self, sftp: paramiko.SFTPClient, source: PurePath, target: Path) -> None:
        for entry in sftp.listdir_attr(str(source)):
            self._run.cancellation.check()
            name, mode, theirs = entry.filename, entry.st_mode or 0, str(source / entry.filename)
            if "/" in name or name in ("", ".", ".."):
                raise CommunicatorError(f"the machine names a file {name!r}, which would lie outside of its folder")
            ours = target / name
            if stat.S_ISLNK(mode):
                ours.unlink(missing_ok=True)
                ours.symlink_to(sftp.readlink(theirs) or "")
                continue
            if stat.S_ISDIR(mode):
                ours.mkdir(mode=0o700, exist_ok=True)
                self._get_folder(sftp, source / name, ours)
            elif stat.S_ISREG(mode):
                ours.unlink(missing_ok=True)
                sftp.get(theirs, str(ours), callback=self._still)
            else:
                self._run.say(f"not downloaded, because it is no file, folder or link: {theirs}")
                continue
            ours.chmod(mode & 0o7777)
            os.utime(ours, (entry.st_atime or 0, entry.st_mtime or 0))


def _is_folder(sftp: paramiko.SFTPClient, path: PurePath) -> bool:
    try:
        return stat.S_ISDIR(sftp.stat(str(path)).st_mode or 0)
    except FileNotFoundError:
        return False


def _make_folders(sftp: paramiko.SFTPClient, path: PurePath) -> None:
    """The folder and those above it; refused only when they cannot be made."""
    if _is_folder(sftp, path) or path == path.parent:
        return
    _make_folders(sftp, path.parent)
    sftp.mkdir(str(path))


def _make_folder(sftp: paramiko.SFTPClient, path: PurePath) -> bool:
    if _is_folder(sftp, path):
        return False
    sftp.mkdir(str(path))
    return True


def _rename(sftp: paramiko.SFTPClient, old: str, new: str) -> None:
    """Over what is there, where the server can; else after removing it."""
    try:
        sftp.posix_rename(old, new)
    except OSError as error:
        if error.errno is not None and error.errno != errno.EOPNOTSUPP and "unsupported" not in str(error).lower():
            raise
        with suppress(FileNotFoundError):
            sftp.remove(new)
        sftp.rename(old, new)


def _replace_link(sftp: paramiko.SFTPClient, text: str, place: str) -> None:
    with suppress(FileNotFoundError):
        sftp.remove(place)
    sftp.symlink(text, place)


def _explained(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if isinstance(text, str) else str(text)
