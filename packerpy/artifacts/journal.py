"""The journal: every acquisition is written down before it is made, so that a crash leaves nothing unknown."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from packerpy.artifacts.database import Database
from packerpy.contracts import Step
from packerpy.errors import PluginError

_converter = make_converter()
_converter.register_unstructure_hook(Path, str)
_converter.register_structure_hook(Path, lambda value, _: Path(value))


@attrs.frozen(kw_only=True)
class Entry:
    """One acquisition as the journal holds it.

    :ivar step: ``module:class`` of the step.
    :ivar fields: its fields, as JSON; with ``step`` enough to make it again and call ``find``.
    :ivar product: whether it was acquired with ``keep``.
    :ivar state: ``intent`` (may or may not exist), ``made``, ``kept`` (the product of a run that ended well), ``left``
        (left by a run that ended, because its user said so or because it could not be undone).
    """

    id: int
    run: str
    build: str
    title: str
    step: str
    fields: str
    product: bool
    state: str


def step_of(entry: Entry) -> Step[Any]:
    """The step that an entry was written for, made again.

    :raises PluginError: its class is not there any more.
    """
    return read_step(entry.step, entry.fields, entry.title)


def read_step(named: str, fields: str, title: str) -> Step[Any]:
    """The step that :func:`write_step` wrote.

    :param title: what it acquires, for the error.
    :raises PluginError: its class is not there any more.
    """
    module, _, name = named.partition(":")
    try:
        cls: Any = import_module(module)
        for part in name.split("."):
            cls = getattr(cls, part)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"cannot undo {title}: {named} is not installed",
            resolution="install the plug-in that made it, then run `packerpy clean` again",
        ) from error
    step: Step[Any] = _converter.loads(fields, cls)
    return step


def write_step(step: Step[Any]) -> tuple[str, str]:
    """A step as ``module:class`` and its fields as JSON.

    :raises PluginError: it cannot be written down, so it could not be found after a crash.
    """
    try:
        fields = _converter.dumps(step)
    except Exception as error:
        raise PluginError(
            f"the step {type(step).__qualname__} cannot be journaled",
            details=str(error),
            resolution="its author must make it a frozen attrs class with plain fields",
        ) from error
    return f"{type(step).__module__}:{type(step).__qualname__}", fields


class Journal:
    """Reads and writes the tables ``runs`` and ``acquisitions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: str) -> None:
        """A run of this process starts."""
        with self._database.transaction() as c:
            c.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL)",
                (run, os.getpid(), started_ticks(os.getpid()) or 0, boot_id(), time.time()),
            )

    def end(self, run: str) -> None:
        """A run ended in an orderly way (well or not)."""
        with self._database.transaction() as c:
            c.execute("UPDATE runs SET ended = ? WHERE id = ?", (time.time(), run))

    def intend(self, run: str, build: str, step: Step[Any], *, product: bool) -> int:
        """A step is about to be done; answers the entry's number.

        :raises PluginError: the step cannot be written down, so it could not be found after a crash.
        """
        name, fields = write_step(step)
        with self._database.transaction() as c:
            cursor = c.execute(
                "INSERT INTO acquisitions (run, build, title, step, fields, product, state, at)"
                " VALUES (?, ?, ?, ?, ?, ?, 'intent', ?)",
                (run, build, step.title, name, fields, int(product), time.time()),
            )
            assert cursor.lastrowid is not None  # noqa: S101  an INSERT always has one
            return cursor.lastrowid

    def made(self, entry: int) -> None:
        """The thing exists."""
        self._set(entry, "made")

    def kept(self, entry: int) -> None:
        """The thing is the product of a run that ended well and is nobody's to undo."""
        self._set(entry, "kept")

    def left(self, entry: int) -> None:
        """The thing stays when its run ends, until somebody cleans up."""
        self._set(entry, "left")

    def undone(self, entry: int) -> None:
        """The thing is gone."""
        with self._database.transaction() as c:
            c.execute("DELETE FROM acquisitions WHERE id = ?", (entry,))

    def entries(self, run: str | None = None) -> tuple[Entry, ...]:
        """What is written down and not undone, newest first, of one run or of all."""
        where, values = ("WHERE run = ?", (run,)) if run else ("", ())
        query = f"SELECT id, run, build, title, step, fields, product, state FROM acquisitions {where} ORDER BY id DESC"  # noqa: S608
        return tuple(
            Entry(id=r[0], run=r[1], build=r[2], title=r[3], step=r[4], fields=r[5], product=bool(r[6]), state=r[7])  # type: ignore[arg-type]
            for r in self._database.rows(query, *values)
        )

    def dead_runs(self) -> tuple[str, ...]:
        """Runs whose process is gone without having ended them."""
        rows = self._database.rows("SELECT id, pid, started_ticks, boot FROM runs WHERE ended IS NULL")
        return tuple(str(r[0]) for r in rows if not (r[3] == boot_id() and started_ticks(int(str(r[1]))) == r[2]))

    def runs_that_left(self) -> tuple[str, ...]:
        """Runs that ended and left something: what could not be undone, or was left on purpose."""
        query = (
            "SELECT DISTINCT runs.id FROM runs JOIN acquisitions ON acquisitions.run = runs.id"
            " WHERE runs.ended IS NOT NULL AND acquisitions.state != 'kept'"
        )
        return tuple(str(row[0]) for row in self._database.rows(query))

    def forget(self, run: str) -> None:
        """Nothing of a dead run is left."""
        with self._database.transaction() as c:
            c.execute("UPDATE runs SET ended = ? WHERE id = ?", (time.time(), run))
            c.execute("DELETE FROM acquisitions WHERE run = ? AND state != 'kept'", (run,))

    def _set(self, entry: int, state: str) -> None:
        with self._database.transaction() as c:
            c.execute("UPDATE acquisitions SET state = ? WHERE id = ?", (state, entry))


def boot_id() -> str:
    """The kernel's token of this boot of the host (``random(4)``)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (``proc(5)``, field 22); ``None`` when it is over."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]) if fields[0] not in "ZX" else None
