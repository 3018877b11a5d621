"""What rpm says is installed: its own program reads a copy of the disk's database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from packerpy.contracts import Run
from packerpy.errors import PostProcessError
from packerpy.kit import process
from packerpy.postprocessors.sbom.disk import FileSystem
from packerpy.postprocessors.sbom.packages import Package
from packerpy.postprocessors.sbom.specs import RPM

_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
_DATABASES = ("rpmdb.sqlite", "Packages")
"""Of SQLite, and of Berkeley DB."""
_BESIDE = ("rpmdb.sqlite-wal",)
"""What SQLite has not put into its database yet."""

_FIELD, _ITEM, _PACKAGE = "\x1f", "\x1d", "\x1e"
_TAGS = ("NAME", "VERSION", "RELEASE", "ARCH", "EPOCH", "SOURCERPM", "VENDOR", "PACKAGER", "URL", "SUMMARY", "LICENSE")
_LISTS = ("REQUIRENAME", "PROVIDENAME")
_FORMAT = (
    _FIELD.join(f"%|{tag}?{{%{{{tag}}}}}|" for tag in _TAGS)
    + "".join(f"{_FIELD}[%{{{tag}}}{_ITEM}]" for tag in _LISTS)
    + _PACKAGE
)


def installed(run: Run, place: FileSystem) -> tuple[Package, ...] | None:
    """All packages of a file system's database; ``None`` where there is no database.

    :raises PostProcessError: rpm cannot read it.
    """
    for folder in _FOLDERS:
        with tempfile.TemporaryDirectory(prefix="packerpy-rpm-", dir=run.staging) as copy:
            names = (*_DATABASES, *_BESIDE)
            found = place.copy(run, {f"{folder}/{name}": name for name in names}, Path(copy))
            if set(found) & set(_DATABASES):
                return tuple(_packages(_query(run, Path(copy))))
    return None


def _query(run: Run, database: Path) -> str:
    tool = process.find_tool(RPM.name, package=RPM.package, needed_for=RPM.needed_for)
    answer = process.call(
        [tool, "--dbpath", database, "--query", "--all", "--nosignature", "--nodigest", "--queryformat", _FORMAT],
        cancellation=run.cancellation,
        env={"LC_ALL": "C.UTF-8", "HOME": str(database)},
        error=PostProcessError,
        label="reading the disk's rpm database",
    )
    if not answer.stdout:
        raise PostProcessError(
            "rpm found no package in the disk's database",
            details=answer.stderr.strip() or None,
            resolution="take the Sbom out, and let a step in the machine write the bill, as by syft",
        )
    return answer.stdout.decode("utf-8", "replace")


def _packages(text: str) -> Iterator[Package]:
    for record in text.split(_PACKAGE)[:-1]:
        *values, requires, provides = record.split(_FIELD)
        tags = dict(zip(_TAGS, values, strict=True))
        if tags["NAME"] == "gpg-pubkey":  # a key that packages are verified with
            continue
        version = f"{tags['VERSION']}-{tags['RELEASE']}"
        source = tags["SOURCERPM"].removesuffix(".src.rpm").removesuffix(".nosrc.rpm").rsplit("-", 2)
        own = [tags["NAME"], tags["VERSION"], tags["RELEASE"]]
        yield Package(
            name=tags["NAME"],
            version=version,
            arch=tags["ARCH"],
            epoch=tags["EPOCH"],
            source=f"{source[0]}@{'-'.join(source[1:])}" if len(source) == len(own) and source != own else "",
            maintainer=tags["VENDOR"] or tags["PACKAGER"],
            homepage=tags["URL"],
            summary=tags["SUMMARY"],
            license=tags["LICENSE"],
            depends=tuple((name,) for name in dict.fromkeys(requires.split(_ITEM)) if name),
            provides=tuple(name for name in provides.split(_ITEM) if name),
        )
