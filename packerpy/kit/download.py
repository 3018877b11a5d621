"""Files from the net, fetched once, resumed where they broke off, and checked.

A file lies in ``<cache>/downloads/<key>/``: ``file`` is complete, ``part`` is what came so far, ``about.json`` tells
which version of the file they are. The key is the checksum, or the address where there is none. ``part`` stays after a
failure or a cancel, for the next attempt to go on from.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from packerpy.contracts import Run
from packerpy.errors import BuildError, DeclarationError
from packerpy.kit import checksum as checksums
from packerpy.kit import publish
from packerpy.kit.choices import suggestion

SCHEMES = ("http", "https", "s3", "file")


@attrs.frozen(kw_only=True)
class Place:
    """Where one download lies in the cache."""

    folder: Path

    @property
    def file(self) -> Path:
        """The complete file."""
        return self.folder / "file"

    @property
    def part(self) -> Path:
        """What came so far."""
        return self.folder / "part"

    @property
    def about(self) -> Path:
        """What the server said of it."""
        return self.folder / "about.json"

    def read_about(self) -> Mapping[str, Any]:
        """What was noted, or nothing when it is missing or broken."""
        try:
            noted = json.loads(self.about.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def note(self, **about: Any) -> None:
        """Write down what the server said."""
        publish.write_text(self.about, json.dumps(about, sort_keys=True))


def download(run: Run, url: str, *, checksum: str | None = None) -> Path:
    """Fetch a file into the cache, or find it there; never write to the path answered.

    A file with a checksum is fetched once. One without is asked for each time, and sent again only when the server says
    that it has changed. Two processes that want the same file fetch it once.

    :param url: ``http``, ``https``, ``s3`` or ``file``; the path of a ``file`` address is answered as it is.
    :param checksum: as for :func:`packerpy.kit.checksum.parse`; ``None`` takes whatever comes.
    :raises DeclarationError: the address or the checksum makes no sense.
    :raises BuildError: it cannot be fetched, or is not what the checksum says.
    :raises packerpy.errors.OutputError: the cache's file system is full.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise DeclarationError(
            f"{shown(url)!r} is not an address to download", resolution=suggestion(parts.scheme, SCHEMES)
        )
    wanted = checksums.parse(checksum) if checksum is not None else None
    if parts.scheme == "file":
        return _local(run, parts, wanted)
    place = Place(folder=run.cache / "downloads" / _key(url, wanted))
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def waiting() -> None:
        run.say(f"waiting for another process that downloads {shown(url)}")

    lock = place.folder.with_name(place.folder.name + ".lock")
    with publish.locked(lock, run.wait, waiting=waiting), publish.full_disk_named(place.folder):
        if wanted is not None and _is_whole(run, place, wanted):
            return place.file
        from packerpy.kit import fetch

        fetch.fetch(run, url, place, wanted)
        return place.file


def shown(url: str) -> str:
    """The address without a password, for people."""
    parts = urllib.parse.urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc="…@" + parts.netloc.rpartition("@")[2]).geturl()


def _key(url: str, wanted: checksums.Wanted | None) -> str:
    if wanted is not None:
        return f"{wanted.algorithm}-{wanted.digest}"
    return "url-" + hashlib.sha256(shown(url).encode()).hexdigest()


def _local(run: Run, parts: urllib.parse.SplitResult, wanted: checksums.Wanted | None) -> Path:
    if parts.netloc not in ("", "localhost"):
        raise DeclarationError(
            f"a file address names this host only, not {parts.netloc!r}",
            resolution="write file:///path, with three slashes",
        )
    path = Path(urllib.parse.unquote(parts.path))
    if not path.is_file():
        raise BuildError(f"there is no file {path}", resolution="correct the address")
    if wanted is not None:
        checksums.verify(path, wanted, run.cancellation)
    return path


def stamp(path: Path) -> list[int]:
    """What changes when somebody touches a file: size and time."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _is_whole(run: Run, place: Place, wanted: checksums.Wanted) -> bool:
    """Whether the cached file is the one wanted; read again only if somebody touched it since it was checked."""
    if not place.file.is_file():
        return False
    if place.read_about().get("checked") == stamp(place.file):
        os.utime(place.folder)  # tells a later clean-up of the cache that it is still of use
        return True
    seen = checksums.digest(place.file, wanted.algorithm, run.cancellation)
    if seen == wanted.digest:
        place.note(checked=stamp(place.file))
        return True
    run.say("the cached file is damaged; fetching it again")
    place.file.unlink()
    return False
