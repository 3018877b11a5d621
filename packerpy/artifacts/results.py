"""Results of finished tasks by key: captured images, tests that passed, what post-processors made, whole deliveries.

A stored file is a hard link to the one in the output folder wherever both are on one file system, so it takes no room
of its own; elsewhere it is a copy.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from packerpy.artifacts.layers import LayerStore
from packerpy.artifacts.record import stamp
from packerpy.kit.process import call
from packerpy.values import Artifact

_RESULT = "result.json"
_FILES = "files"
_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP)
_converter = make_converter()
_converter.register_unstructure_hook(Path, str)
_converter.register_structure_hook(Path, lambda value, _: Path(value))


@attrs.frozen(kw_only=True)
class Result:
    """What a task left.

    :ivar artifacts: none for a test, one for a capture or a post-processor, all of them for a delivery.
    :ivar keep_input: of a post-processor: whether its input is delivered too.
    """

    artifacts: tuple[Artifact, ...] = ()
    keep_input: bool = False

    def moved(self, old: Path, new: Path) -> Result:
        """The same with files that were in one folder in another."""
        return attrs.evolve(self, artifacts=tuple(moved(artifact, old, new) for artifact in self.artifacts))


class ResultStore:
    """Results below one folder; safe for several processes at once.

    :param folder: the store.
    """

    def __init__(self, folder: Path) -> None:
        self.entries = LayerStore(folder)

    def all(self) -> Mapping[str, tuple[Artifact, ...]]:
        """Key → artifacts, where they are in the store, of all results that are there and whole."""
        keys = sorted(self.entries.keys())
        return {key: self._read(key).artifacts for key in keys if self._refers_to_what_is_there(key)}

    def write(self, partial: Path, result: Result, root: Path) -> None:
        """Fill the folder ``partial`` with a result.

        :param root: the folder whose files are stored; those elsewhere are only referred to.
        """
        elsewhere: dict[str, str] = {}
        for path in _files(result):
            if path.is_relative_to(root):
                _link(path, partial / _FILES / path.relative_to(root))
            else:
                elsewhere[str(path)] = stamp(path)
        said = {"root": str(root), "result": _converter.unstructure(result), "elsewhere": elsewhere}
        (partial / _RESULT).write_text(json.dumps(said, default=dict))

    @contextmanager
    def used(self, key: str) -> Iterator[Result | None]:
        """A result with its files where they are in the store, which nobody drops meanwhile; ``None``: not there."""
        with self.entries.used(key) as folder:
            if folder is None or not self._refers_to_what_is_there(key):
                yield None
            else:
                yield self._read(key)

    def fetch(self, key: str, root: Path) -> Result | None:
        """A result with its files linked into ``root``; ``None`` when it is not there any more."""
        with self.used(key) as result:
            if result is None:
                return None
            stored = self.entries.path(key) / _FILES
            for path in _files(result):
                if path.is_relative_to(stored):
                    _link(path, root / path.relative_to(stored))
            return result.moved(stored, root)

    def _read(self, key: str) -> Result:
        said = self._said(key)
        result = _converter.structure(said["result"], Result)
        return result.moved(Path(said["root"]), self.entries.path(key) / _FILES)

    def _said(self, key: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads((self.entries.path(key) / _RESULT).read_text())
        return said

    def _refers_to_what_is_there(self, key: str) -> bool:
        try:
            elsewhere: Mapping[str, str] = self._said(key)["elsewhere"]
            return all(stamp(Path(path)) == then for path, then in elsewhere.items())
        except (OSError, ValueError, KeyError):
            return False


def moved(artifact: Artifact, old: Path, new: Path) -> Artifact:
    """The artifact once its files have moved from one folder to another."""

    def place(text: str) -> str:
        path = Path(text)
        return str(new / path.relative_to(old)) if path.is_relative_to(old) else text

    outputs = {name: place(value) for name, value in artifact.outputs.items()}
    return attrs.evolve(artifact, files=tuple(Path(place(str(path))) for path in artifact.files), outputs=outputs)


def _files(result: Result) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(path for artifact in result.artifacts for path in artifact.files))


def _link(source: Path, target: Path) -> None:
    """One more name for a file; a copy where that cannot be."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        call(["cp", "--reflink=auto", "--sparse=always", "--preserve=timestamps,mode", source, target], label="cp")
