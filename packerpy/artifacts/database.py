"""The one SQLite file behind the journal and the record of what is built."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VERSION = 2
"""Of the schema; what an older packerpy wrote of deliveries is forgotten, its journal is kept."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, pid INTEGER NOT NULL, started_ticks INTEGER NOT NULL, boot TEXT NOT NULL,
    at REAL NOT NULL, ended REAL
);
CREATE TABLE IF NOT EXISTS acquisitions (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs(id), build TEXT NOT NULL, title TEXT NOT NULL,
    step TEXT NOT NULL, fields TEXT NOT NULL, product INTEGER NOT NULL, state TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS acquisitions_by_run ON acquisitions(run, state);
CREATE TABLE IF NOT EXISTS delivered (
    folder TEXT PRIMARY KEY, key TEXT NOT NULL, build TEXT NOT NULL, artifacts TEXT NOT NULL, identity TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS history (
    folder TEXT NOT NULL, what TEXT NOT NULL, key TEXT, seconds REAL NOT NULL, at REAL NOT NULL,
    ingredients TEXT NOT NULL, PRIMARY KEY (folder, what)
);
CREATE TABLE IF NOT EXISTS generations (key TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL
);
"""


class Database:
    """A connection that several threads and several processes may use at once (write-ahead log, one lock a process)."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._folder = path.parent
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone_in(self._folder):
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=60)
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            if self.rows("PRAGMA user_version") != [(_VERSION,)]:
                self._connection.execute("DROP TABLE IF EXISTS delivered")
                self._connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write that is there whole or not at all."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock, _alone_in(self._folder):
            self._connection.close()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """No other process opens or closes a database of ``folder`` meanwhile.

    SQLite's own timeout does not cover the change to the write-ahead log, nor the clean-up by the last who closes.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
