"""The channel into a machine that is a folder."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path, PurePath

from packerpy.contracts import Cancellation, Communicator, OutputSink
from packerpy.errors import CommunicatorError
from packerpy.values import Command, Completed


class FakeChannel(Communicator):
    """Understands ``echo TEXT`` and ``cat PATH``; remembers everything else and says that it went well."""

    def __init__(self, root: Path, cancellation: Cancellation, fail_on: str | None) -> None:
        self._root, self._cancellation, self._fail_on = root, cancellation, fail_on
        self._lock = threading.Lock()

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        """Remember the command and answer."""
        self._cancellation.check()
        with self._lock, (self._root / "commands.log").open("a") as log:
            log.write(command.line.rstrip("\n") + "\n")
        if self._fail_on and re.search(self._fail_on, command.line):
            return Completed(exit_status=1, stderr="told to fail\n")
        words = command.line.split(maxsplit=1)
        text = ""
        if len(words) == 2 and words[0] == "echo":
            text = words[1] + "\n"
        elif len(words) == 2 and words[0] == "cat":
            path = self._inside(PurePath(words[1]))
            if not path.is_file():
                return Completed(exit_status=1, stderr=f"cat: {words[1]}: No such file or directory\n")
            text = path.read_text()
        if sink is not None and text:
            sink("stdout", text)
        return Completed(exit_status=0, stdout=text)

    def put(self, source: Path, target: PurePath, *, mode: int | None = None) -> None:
        """Copy a file in."""
        path = self._inside(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, path)
        except OSError as error:
            raise CommunicatorError(f"cannot copy {source}", details=str(error)) from error
        path.chmod(mode if mode is not None else source.stat().st_mode & 0o7777)

    def get(self, source: PurePath, target: Path) -> None:
        """Copy a file out."""
        path = self._inside(source)
        if not path.is_file():
            raise CommunicatorError(f"there is no file {source} in the machine")
        shutil.copyfile(path, target)

    def close(self) -> None:
        """Nothing is open."""

    def _inside(self, path: PurePath) -> Path:
        inside = (self._root / str(path).lstrip("/")).resolve()
        if not inside.is_relative_to(self._root.resolve()):
            raise CommunicatorError(f"{path} leads out of the machine")
        return inside
