"""Where a file for a machine comes from, as declared: this host or the net, one place or mirrors, and its checksum."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from pathlib import Path

import attrs

from packerpy.contracts import Run
from packerpy.declare import Later
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import Place, one_or_many
from packerpy.errors import DeclarationError
from packerpy.kit.checksum import parse as parse_checksum
from packerpy.kit.choices import suggestion
from packerpy.kit.download import SCHEMES, shown
from packerpy.kit.sums import Sums, sums_of
from packerpy.values import Problem

Promised = str | Later | Sums | None
"""What is known beforehand of a file's content."""


def places(value: Place | Iterable[Place] | None) -> tuple[Place, ...]:
    """One place, or mirrors in order; a text without a scheme is a path."""
    if value is None:
        return ()
    several = (value,) if isinstance(value, (str, Path, Later)) else tuple(value)
    return tuple(Path(place) if isinstance(place, str) and "://" not in place else place for place in several)


@declaration
class Download:
    """A file for a machine: an address or a path, or several that are tried in order.

    :param places: ``https://…``, ``s3://bucket/key``, or the path of a file of this host. A login for a web server is
        that of the netrc file (``~/.netrc``, or what ``NETRC`` names); S3 is asked with Amazon's credentials of the
        environment, or without any, and needs ``packerpy[amazon]``.
    :param checksum: as for ``iso`` of :class:`packerpy.Qemu`: ``sha256:…``, ``file:https://…/SHA256SUMS``,
        :class:`packerpy.Sums`, or ``none``; required for what comes from the net.
    """

    places: tuple[Place, ...] = attrs.field(converter=places)
    checksum: Promised = None

    def check(self) -> Iterable[Problem]:
        """Addresses that can be fetched, and a checksum for them."""
        if not self.places:
            yield Problem(what="names no file", fix="give an address or a path")
        yield from check_places("", self.places)
        yield from check_checksum(
            "checksum", self.checksum, remote=any(isinstance(place, str) for place in self.places)
        )

    def reads(self) -> Iterable[Path]:
        """Files of this host."""
        return (place for place in self.places if isinstance(place, Path))

    def fetch(self, run: Run, where: str) -> Path:
        """The file on this host; never write to it.

        :param where: the field that declares it.
        :raises packerpy.errors.BuildError: it cannot be had, or has another checksum.
        """
        return fetch(run, where, self.places, self.checksum)


def download(value: Download | Place | Iterable[Place] | None) -> Download | None:
    """A place alone has no checksum."""
    return value if value is None or isinstance(value, Download) else Download(value)


def downloads(value: Iterable[Download | Place] | Download | Place) -> tuple[Download, ...]:
    """One file or several, none of which is a mirror of another."""
    several = (value,) if isinstance(value, (Download, str, Path, Later)) else tuple(value)
    return tuple(made for item in several if (made := download(item)) is not None)


def fetch(run: Run, where: str, declared: Iterable[Place], checksum: Promised) -> Path:
    """The first of the places that has the file.

    :raises DeclarationError: a variable has no value.
    :raises packerpy.errors.BuildError: it cannot be had, or has another checksum.
    """
    from packerpy.kit.mirrors import fetch_first

    known: list[str | Path] = []
    for place in one_or_many(declared):
        if isinstance(place, Later):
            raise DeclarationError(f"{where} has no value yet: {place.shown}")
        known.append(place)
    if isinstance(checksum, Later):
        raise DeclarationError(f"the checksum of {where} has no value yet: {checksum.shown}")
    return fetch_first(run, known, checksum)


def check_places(where: str, declared: tuple[Place, ...]) -> Iterable[Problem]:
    """Addresses that can be fetched, with nothing in them that belongs elsewhere."""
    for index, place in enumerate(declared):
        if not isinstance(place, str):
            continue
        here = f"{where}[{index}]" if len(declared) > 1 else where
        parts = urllib.parse.urlsplit(place)
        if parts.scheme not in SCHEMES:
            fix = suggestion(parts.scheme, SCHEMES)
            yield Problem(where=here, what="is not an address to download", seen=shown(place), fix=fix)
        if parts.scheme == "s3" and not (parts.netloc and parts.path.strip("/")):
            yield Problem(
                where=here, what="names no file in S3", seen=shown(place), fix="write it like s3://bucket/key"
            )
        if "checksum" in urllib.parse.parse_qs(parts.query):
            yield Problem(where=here, what="has a checksum in its address", seen=shown(place), fix="give checksum=")


def check_checksum(where: str, declared: Promised, *, remote: bool) -> Iterable[Problem]:
    """One that can be understood, and that there is one of what comes from the net.

    :param remote: whether the file does.
    """
    if declared is None and remote:
        fix = 'give checksum="sha256:…", "file:https://…/SHA256SUMS", or "none" if nobody publishes one'
        yield Problem(where=where, what="is missing, and the file comes from the net", fix=fix)
    if declared is None or declared == "none" or isinstance(declared, Later):
        return
    sums = sums_of(declared)
    if sums is not None:
        yield from (problem.within(where) for problem in sums.check())
        return
    try:
        parse_checksum(str(declared))
    except DeclarationError as error:
        yield Problem(where=where, what=error.brief, seen=repr(declared), fix=error.resolution)
