"""Checks a statement, and files against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from packerpy.errors import VerificationError
from packerpy.kit import checksum
from packerpy.postprocessors.provenance.worker import missing


@attrs.frozen(kw_only=True)
class Verified:
    """What was found to be true.

    :ivar files: those whose content is what the statement says.
    :ivar signed: whether a signature was checked; without it the statement itself may be anybody's.
    :ivar statement: all of it.
    """

    files: tuple[Path, ...]
    signed: bool
    statement: Mapping[str, Any] = attrs.field(repr=False)

    @property
    def builder(self) -> str:
        """The id of whoever built it."""
        details = self.statement["predicate"].get("runDetails", {})
        return str(details.get("builder", {}).get("id", ""))


def verify(provenance: str | Path, files: Iterable[str | Path] = (), *, key: str | Path | None = None) -> Verified:
    """Check a signed provenance and files against it.

    :param provenance: what :class:`Provenance` wrote.
    :param files: the files to check; by default all that it is about, which are looked for beside it.
    :param key: the public key (PEM or OpenSSH) that must have signed it; without one only the digests are compared.
    :raises VerificationError: anything is not as it must be; names every file that is wrong.
    :raises PluginError: the libraries for it are not installed.
    """
    try:
        from packerpy.postprocessors.provenance import signing
    except ImportError as error:
        raise missing(error) from error
    path = Path(provenance)
    public = signing.public_key(_read(Path(key))) if key is not None else None
    statement = signing.opened(_read(path).decode("utf-8", "replace"), public)
    subjects = {str(one["name"]): str(one.get("digest", {}).get("sha256", "")) for one in statement["subject"]}
    named = [Path(one) for one in files]
    wanted = dict(_matched(named, subjects) if named else ((path.parent / name, name) for name in subjects))
    wrong = [problem for file, name in wanted.items() if (problem := _wrong(file, subjects.get(name)))]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} of {len(wanted)} files are not what the statement is about",
            details="\n".join(f"- {problem}" for problem in wrong),
            resolution="do not use them; build or fetch them anew",
        )
    return Verified(files=tuple(wanted), signed=public is not None, statement=statement)


def _matched(files: Iterable[Path], subjects: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Each file with the subject of its name."""
    by_name = {Path(name).name: name for name in subjects}
    for file in files:
        yield file, by_name.get(file.name, "")


def _wrong(file: Path, digest: str | None) -> str | None:
    if not digest:
        return f"{file}: the statement says nothing about it"
    if not file.is_file():
        return f"{file}: it is not there"
    seen = checksum.digest(file, "sha256")
    return None if seen == digest else f"{file}: its SHA-256 is {seen}, the statement says {digest}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VerificationError(f"cannot read {path}", details=error.strerror) from error
