"""One file from the first of several places that has it."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from packerpy.contracts import Run
from packerpy.errors import BuildError
from packerpy.kit import checksum as checksums
from packerpy.kit.download import download, shown
from packerpy.kit.sums import Sums, find_checksum, sums_of


def fetch_first(run: Run, places: Sequence[str | Path], checksum: str | Sums | None) -> Path:
    """Try the places in order, and go on with the next when one fails; what one sent of a file, the next continues.

    :param places: addresses (``http``, ``https``, ``file``) and paths; what lies on this host is used where it is.
    :param checksum: as for :func:`packerpy.kit.checksum.parse`, a file of checksums, or ``None`` for any content.
    :raises BuildError: no place has it; tells of each. A missing or unsigned file of checksums fails at once.
    """
    failures: list[BuildError] = []
    for place in places:
        wanted = _wanted(run, checksum, str(place))
        try:
            return _one(run, place, wanted)
        except BuildError as error:
            failures.append(error)
            if len(failures) < len(places):
                run.say(f"{error.brief} ({error.details}); trying the next place")
    if len(failures) == 1:
        raise failures[0]
    raise BuildError(
        f"none of {len(failures)} places has {_name(places)}",
        details="\n".join(f"- {error.brief}: {error.details}" for error in failures),
        resolution="check the addresses and the network, and whether the checksum is that of this file",
    )


def _wanted(run: Run, checksum: str | Sums | None, place: str) -> str | None:
    if checksum is None or checksum == "none":
        return None
    sums = sums_of(checksum)
    return str(checksum) if sums is None else str(find_checksum(run, sums, place))


def _one(run: Run, place: str | Path, wanted: str | None) -> Path:
    if isinstance(place, str) and urllib.parse.urlsplit(place).scheme:
        return download(run, place, checksum=wanted)
    path = Path(place).expanduser().absolute()
    if not path.is_file():
        raise BuildError(f"there is no file {path}", resolution="correct the path; it counts from the working folder")
    if wanted is not None:
        checksums.verify(path, wanted, run.cancellation)
    return path


def _name(places: Sequence[str | Path]) -> str:
    return shown(str(places[0])).rpartition("/")[2]
