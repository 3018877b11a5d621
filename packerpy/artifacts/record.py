"""The record of what was delivered where, and whether it is still what it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
from cattrs.preconf.json import make_converter

from packerpy.artifacts.database import Database
from packerpy.values import Artifact

_converter = make_converter()
_converter.register_unstructure_hook(Path, str)
_converter.register_structure_hook(Path, lambda value, _: Path(value))


@attrs.frozen(kw_only=True)
class Delivery:
    """What stands in an output folder.

    :ivar folder: the folder.
    :ivar key: key of the task that delivered it.
    :ivar artifacts: what is in it.
    :ivar changed: which file is gone or is not what it was; empty when all are.
    """

    folder: Path
    key: str
    artifacts: tuple[Artifact, ...]
    changed: str = ""


class Record:
    """Reads and writes the table ``delivered``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, build: str, delivery: Delivery, identity: Mapping[str, str]) -> None:
        """Write down what is being delivered; before its files appear, so that they never stand there unknown.

        :param identity: path of each file, as it will be → its :func:`stamp`, which a rename does not change.
        """
        with self._database.transaction() as c:
            c.execute(
                "INSERT OR REPLACE INTO delivered VALUES (?, ?, ?, ?, ?, ?)",
                (
                    str(delivery.folder),
                    delivery.key,
                    build,
                    _converter.dumps(delivery.artifacts),
                    json.dumps(identity),
                    time.time(),
                ),
            )

    def forget(self, folder: Path) -> None:
        """What stands in the folder is about to be replaced."""
        with self._database.transaction() as c:
            c.execute("DELETE FROM delivered WHERE folder = ?", (str(folder),))

    def deliveries(self, folders: Iterable[Path]) -> dict[Path, Delivery]:
        """What was delivered into some folders, looked at now."""
        wanted = {str(folder) for folder in folders}
        found: dict[Path, Delivery] = {}
        for row in self._database.rows("SELECT folder, key, artifacts, identity FROM delivered"):
            folder, key, artifacts, identity = (str(column) for column in row)
            if folder in wanted:
                found[Path(folder)] = Delivery(
                    folder=Path(folder),
                    key=key,
                    artifacts=_converter.loads(artifacts, tuple[Artifact, ...]),
                    changed=_changed(json.loads(identity)),
                )
        return found


def stamp(path: Path) -> str:
    """Size, times and inode of a file: when they are the same, so is the content (nobody forges times by accident)."""
    info = path.stat()
    return f"{info.st_size}:{info.st_mtime_ns}:{info.st_ino}"


def _changed(identity: Mapping[str, str]) -> str:
    for name, then in identity.items():
        try:
            now = stamp(Path(name))
        except OSError:
            return f"{Path(name).name} is gone"
        if now != then:
            return f"{Path(name).name} was changed after it was built"
    return ""
