"""Looks at the world once, so that planning needs not."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from packerpy.artifacts.database import Database
from packerpy.artifacts.history import History
from packerpy.artifacts.layers import LayerStore
from packerpy.artifacts.record import Record, stamp
from packerpy.artifacts.results import ResultStore
from packerpy.artifacts.secrets import read_secret
from packerpy.contracts import SourceSpec
from packerpy.declare import Secret
from packerpy.declare.walk import find
from packerpy.errors import BuildError, ValidationError
from packerpy.plan.keys import paths_read
from packerpy.plan.known import Known
from packerpy.plan.readings import Readings
from packerpy.registry import as_post, steps_of
from packerpy.validate import Build, Graph
from packerpy.values import Problem
from packerpy.version import __version__


def survey(
    graph: Graph,
    wanted: Iterable[str],
    folders: Mapping[str, Path],
    database: Database,
    cache: Path,
    fingerprint: Callable[[SourceSpec], str | None],
    data: Readings,
) -> Known:
    """What a plan has to know.

    :param wanted: the builds whose files and secrets are looked at.
    :param folders: build → the folder it delivers to.
    :param fingerprint: of a source that saves its machines, what they depend on; ``None`` for one that does not.
    :param data: what was read from data sources.
    :raises ValidationError: secrets that cannot be read, all at once.
    """
    specs = [spec for name in wanted for spec in _specs(graph.builds[name])]
    digests = _Digests(database)
    deliveries = Record(database).deliveries(folders.values())
    history = History(database)
    return Known(
        digests={path: digest for path in paths_read(specs) if (digest := digests.of(path))},
        secrets=_hashes(find((tuple(specs), data.uses), Secret), cache),
        built={d.key: d.artifacts for d in deliveries.values() if not d.changed},
        changed={d.key: d.changed for d in deliveries.values() if d.changed},
        history=history.of(folders),
        seconds=history.seconds(),
        layers=LayerStore(cache / "layers").keys(),
        results=ResultStore(cache / "results").all(),
        generations=history.generations(),
        now=time.time(),
        fingerprints=_fingerprints((graph.builds[name] for name in wanted), fingerprint),
        data=data,
        salt=__version__,
    )


def _fingerprints(builds: Iterable[Build], fingerprint: Callable[[SourceSpec], str | None]) -> Mapping[str, str]:
    """Of each build whose machines are saved; many builds have the same source, which is asked once."""
    asked = cache(fingerprint)
    return {build.name: found for build in builds if (found := asked(build.source))}  # type: ignore[arg-type]


def _specs(build: Build) -> Iterable[object]:
    image = build.image
    yield build.source
    yield from steps_of((*image.provision, *image.tests), build.names)
    yield from (as_post(item) for chain in image.post for item in chain)
    if image.test_on is not None:
        yield image.test_on


class _Digests:
    """Digests of files and folders; those of unchanged files are remembered between runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = {str(p): (str(s), str(d)) for p, s, d in database.rows("SELECT path, stamp, digest FROM digests")}

    def of(self, path: Path) -> str | None:
        """The digest; ``None`` when nothing is there."""
        try:
            if path.is_dir():
                return self._folder(path)
            return self._file(path) if path.is_file() else None
        except OSError:
            return None

    def _file(self, path: Path) -> str:
        name, now = str(path.absolute()), stamp(path)
        known = self._known.get(name)
        if known is not None and known[0] == now:
            return known[1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[name] = (now, digest)
        with self._database.transaction() as c:
            c.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (name, now, digest))
        return digest

    def _folder(self, folder: Path) -> str:
        """Names, modes, link targets and contents of all that is in it, in sorted order."""
        total = hashlib.sha256()
        for current, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted([*files, *folders]):
                path = Path(current) / name
                mode = path.lstat().st_mode
                if stat.S_ISLNK(mode):
                    content = str(path.readlink())
                elif stat.S_ISREG(mode):
                    content = self._file(path)
                else:
                    content = ""
                total.update(f"{path.relative_to(folder)}\0{mode:o}\0{content}\0".encode(errors="surrogateescape"))
        return total.hexdigest()


def _hashes(found: Iterable[Secret], cache: Path) -> Mapping[Secret, str]:
    """Keyed hashes: they change when a secret does, and tell nothing to who has not the key."""
    hashes: dict[Secret, str] = {}
    problems: list[Problem] = []
    for secret in dict.fromkeys(found):
        try:
            text = read_secret(secret)
        except BuildError as error:
            problems.append(Problem(where=repr(secret), what=error.brief, fix=error.resolution))
            continue
        hashes[secret] = hmac.new(_hash_key(cache), text.encode(), hashlib.sha256).hexdigest()
    if problems:
        raise ValidationError(problems)
    return hashes


def _hash_key(cache: Path) -> bytes:
    """The key of this user's hashes, made when first needed; whoever comes second takes the first one's."""
    path = cache / "secret-hash.key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()
