"""What was done before: how long each task took, and what went into it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from packerpy.artifacts.database import Database
from packerpy.plan import Past, Task


class History:
    """Reads and writes the tables ``history`` and ``generations``.

    A task is known by the output folder of its build and by its place in it, so that two projects whose images have
    the same names do not mix.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, folder: Path, task: Task, seconds: float) -> None:
        """A task was done."""
        with self._database.transaction() as c:
            c.execute(
                "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?, ?)",
                (str(folder), task.what, task.key, seconds, time.time(), json.dumps(dict(task.ingredients()))),
            )
            if task.generation is not None:
                c.execute("INSERT OR REPLACE INTO generations VALUES (?, ?)", task.generation)

    def of(self, folders: Mapping[str, Path]) -> Mapping[str, Past]:
        """Task id → what is known of the last time it was done.

        :param folders: build → its output folder.
        """
        builds: dict[str, list[str]] = {}
        for build, folder in folders.items():
            builds.setdefault(str(folder), []).append(build)
        return {
            f"{build}/{what}": Past(key=key, seconds=seconds, at=at, ingredients=json.loads(ingredients))
            for folder, what, key, seconds, at, ingredients in self._rows()
            for build in builds.get(folder, ())
        }

    def seconds(self) -> Mapping[str, float]:
        """Key → how long its task took."""
        return {key: seconds for _, _, key, seconds, _, _ in self._rows() if key is not None}

    def generations(self) -> Mapping[str, float]:
        """Key of a step with a greatest age, without its time → when it was last run."""
        rows = self._database.rows("SELECT key, at FROM generations")
        return {str(key): float(str(at)) for key, at in rows}

    def _rows(self) -> Iterable[tuple[str, str, str | None, float, float, str]]:
        return self._database.rows("SELECT folder, what, key, seconds, at, ingredients FROM history")  # type: ignore[return-value]
