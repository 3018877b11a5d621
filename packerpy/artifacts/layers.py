"""The layer store: saved machines by key, each there whole or not at all, shared by all processes of a user."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from packerpy.artifacts import elsewhere
from packerpy.artifacts.record import stamp
from packerpy.kit.checksum import content_crc

_MANIFEST = "packerpy-layer.json"
"""In each layer: title, and of each file its size, times and checksum."""


@attrs.frozen(kw_only=True)
class Layer:
    """A layer in the store.

    :ivar key: of the task whose machine it is.
    :ivar title: what was done last.
    :ivar size: bytes on disk, holes not counted; of a file that has other names elsewhere, its share.
    :ivar made: seconds since the epoch.
    :ivar used: likewise, when it was last used.
    """

    key: str
    title: str
    size: int
    made: float
    used: float


class LayerStore:
    """Folders named by key below one folder; safe for several processes at once.

    :param folder: the store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keys(self) -> frozenset[str]:
        """Keys of all layers that are there and whole, as far as names and sizes tell."""
        if not self.folder.is_dir():
            return frozenset()
        return frozenset(path.name for path in self.folder.iterdir() if self._whole(path))

    def path(self, key: str) -> Path:
        """Where a layer is, or will be."""
        return self.folder / key

    def holds(self, key: str) -> bool:
        """Whether a layer is there and whole; a damaged one is dropped."""
        path = self.path(key)
        if not path.exists():
            return False
        if self._whole(path):
            return True
        self.drop(key)
        return False

    @contextmanager
    def used(self, key: str) -> Iterator[Path | None]:
        """A layer's folder, which nobody drops meanwhile; ``None`` when it is not there or damaged."""
        descriptor = self._lock_file(f"{key}.use")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if self.holds(key):
                os.utime(self.path(key))
                yield self.path(key)
            else:
                yield None
        finally:
            os.close(descriptor)

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Keep other processes from making the same layer meanwhile; waits for them."""
        descriptor = self._lock_file(key)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _lock_file(self, name: str) -> int:
        locks = self.folder / ".locks"
        for folder in (self.folder, locks):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(locks / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def partial(self, key: str, run: str) -> Path:
        """The folder in which a run makes a layer before it is published."""
        return self.folder / f".{key}.{run}.partial"

    def publish(self, partial: Path, key: str, title: str, *, replace: bool = False) -> bool:
        """Make a finished folder a layer of the store; answers whether it is one: somebody else may have been first.

        :param replace: take the place of one that is there, unless somebody uses that.
        """
        files = {
            str(path.relative_to(partial)): {"stamp": stamp(path), "crc": content_crc(path)}
            for path in sorted(partial.rglob("*"))
            if path.is_file()
        }
        manifest = partial / _MANIFEST
        manifest.write_text(json.dumps({"title": title, "made": time.time(), "files": files}))
        for path in (*partial.rglob("*"), partial):
            _sync(path)
        target = self.path(key)
        if target.exists() and not (replace and self.drop_unused(key)):  # whoever was first has the same
            shutil.rmtree(partial)
            return False
        partial.rename(target)
        _sync(self.folder)
        return True

    def drop(self, key: str) -> None:
        """Remove a layer: first its name, then its content, so that nobody sees a half of it.

        What it holds elsewhere is noted, and removed by :func:`packerpy.execute.elsewhere.remove_dropped`.
        """
        path = self.path(key)
        elsewhere.note_dropped(self.folder, path)
        gone = self.folder / f".{key}.{os.getpid()}.gone"
        try:
            path.rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def verify(self) -> tuple[str, ...]:
        """Read every layer and drop those that are damaged; answers their keys."""
        if not self.folder.is_dir():
            return ()
        named = [path.name for path in self.folder.iterdir() if not path.name.startswith(".")]
        return tuple(key for key in sorted(named) if not self._sound(key))

    def _sound(self, key: str) -> bool:
        """Whether the content of every file is what it was; a layer of which that is not so is dropped."""
        if not self.holds(key):
            return False
        files = self._manifest(key)["files"]
        if all(content_crc(self.path(key) / name) == file["crc"] for name, file in files.items()):
            return True
        self.drop(key)
        return False

    def files(self, key: str) -> Mapping[str, int]:
        """The names of a layer's files, and the bytes on disk of each."""
        names = self._manifest(key)["files"]
        return {name: (self.path(key) / name).stat().st_blocks * 512 for name in names}

    def _manifest(self, key: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.path(key) / _MANIFEST).read_text())
        return manifest

    def list(self) -> tuple[Layer, ...]:
        """All layers, the one used longest ago first."""
        layers = [self._layer(self.path(key)) for key in self.keys()]
        return tuple(sorted(layers, key=lambda layer: layer.used))

    def drop_unused(self, key: str) -> bool:
        """Drop a layer unless somebody uses it now; answers whether it is gone."""
        descriptor = self._lock_file(f"{key}.use")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            self.drop(key)
            return True
        finally:
            os.close(descriptor)

    def _layer(self, path: Path) -> Layer:
        manifest = self._manifest(path.name)
        infos = [file.lstat() for file in path.rglob("*")]
        size = sum(info.st_blocks * 512 // (1 if stat.S_ISDIR(info.st_mode) else info.st_nlink) for info in infos)
        return Layer(
            key=path.name, title=manifest["title"], size=size, made=manifest["made"], used=path.stat().st_mtime
        )

    def _whole(self, path: Path) -> bool:
        """Whether every file is what it was when the layer was published."""
        if path.name.startswith("."):
            return False
        try:
            files = self._manifest(path.name)["files"]
            return all(stamp(path / name) == file["stamp"] for name, file in files.items())
        except (OSError, ValueError, KeyError):
            return False


def evict(stores: Iterable[LayerStore], limit: int) -> tuple[Layer, ...]:
    """Drop what was used longest ago until all stores together take at most ``limit`` bytes; answers what went."""
    found = [(layer, store) for store in stores for layer in store.list()]
    total = sum(layer.size for layer, _ in found)
    dropped = []
    for layer, store in sorted(found, key=lambda pair: pair[0].used):
        if total <= limit:
            break
        if store.drop_unused(layer.key):
            total -= layer.size
            dropped.append(layer)
    return tuple(dropped)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
