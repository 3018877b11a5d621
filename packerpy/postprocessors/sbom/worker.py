"""Reads the packages, writes the bills."""

from __future__ import annotations

import re
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PluginError, PostProcessError
from packerpy.kit import checksum, publish
from packerpy.postprocessors.sbom import rpm
from packerpy.postprocessors.sbom.disk import FileSystem, file_systems, raw, unread
from packerpy.postprocessors.sbom.packages import DATABASES, OS_RELEASE, UNREAD, Package, System, read, system
from packerpy.postprocessors.sbom.specs import Sbom
from packerpy.values import Artifact, Processed

_DRIVERS = {"vhd": "vpc", "img": "raw"}
_FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9+.-]*")
"""Names of Debian's packages; what a disk gives for one may be anything."""
_ENDINGS = {"cyclonedx": "cdx.json", "spdx": "spdx.json"}


@attrs.frozen
class Worker(PostProcessor):
    """Carries out an :class:`Sbom`."""

    spec: Sbom

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Add the bills to the artifact's files."""
        # before the disk is read: without its library nothing comes of it
        writers = {form: _library(form) for form in self.spec.formats}
        from packerpy.postprocessors.sbom.bill import Bill, now

        disk = _disk(artifact)
        installed = _installed(run, disk, _driver(disk, artifact))
        run.say(f"{len(installed.packages)} packages of {installed.title or installed.distribution}")
        image = run.name.partition(".")[0]
        bill = Bill(
            name=disk.name,
            image=image,
            sha256=checksum.digest(disk, "sha256", run.cancellation),
            system=installed,
            created=now(),
        )
        written = []
        for form, writer in writers.items():
            target = run.staging / f"{self.spec.name or image}.{_ENDINGS[_family(form)]}"
            publish.write_text(target, writer.write(bill, form))
            written.append(target)
        files = (*artifact.files, *(path for path in written if path not in artifact.files))
        return Processed(artifact=attrs.evolve(artifact, files=files), needs_input=True)


def _family(form: str) -> str:
    return form.partition("-")[0]


def _library(form: str) -> Any:
    """The module that writes a format; its library is loaded by that."""
    try:
        return import_module(f"packerpy.postprocessors.sbom.{_family(form)}")
    except ImportError as error:
        raise PluginError(
            f"writing a bill of materials as {form} needs a library that is not installed",
            details=str(error),
            resolution="pip install 'packerpy[sbom]'",
        ) from error


def _disk(artifact: Artifact) -> Path:
    named = artifact.outputs.get("disk")
    if named is not None and Path(named) in artifact.files:
        return Path(named)
    if artifact.kind == "disk" and artifact.files:
        return artifact.files[0]
    raise PostProcessError(
        f"there is no disk to make a bill of materials of: {artifact.id} is of the kind {artifact.kind!r}",
        details=f"its files: {', '.join(path.name for path in artifact.files) or 'none'}",
        resolution="put Sbom before what packs the disk into something else",
    )


def _driver(disk: Path, artifact: Artifact) -> str:
    """The format as the artifact or the file's name tells it, never as the content does, which a guest can write."""
    told = artifact.facts.get("format") or disk.suffix.removeprefix(".")
    driver = _DRIVERS.get(told, told)
    if driver not in _FORMATS:
        raise PostProcessError(
            f"the format of {disk.name} is not known",
            details=f"seen: {told!r}",
            resolution=f"use one of {', '.join(_FORMATS)}",
        )
    return driver


def _packages(run: Run, place: FileSystem) -> tuple[str, tuple[Package, ...]] | None:
    """Kind and content of the database on a file system."""
    for kind, names in DATABASES.items():
        database = place.read(run, names)
        if database is not None:
            packages = read(kind, database)
            return kind, _with_licenses(run, place, packages) if kind == "deb" else packages
    found = rpm.installed(run, place)
    return None if found is None else ("rpm", found)


def _with_licenses(run: Run, place: FileSystem, packages: tuple[Package, ...]) -> tuple[Package, ...]:
    """Debian's packages, with what their files of copyrights say."""
    from packerpy.postprocessors.sbom.copyright import licenses

    names = {package.name for package in packages if _PLAIN.fullmatch(package.name)}
    with tempfile.TemporaryDirectory(prefix="packerpy-copyright-", dir=run.staging) as copies:
        found = place.copy(run, {f"/usr/share/doc/{name}/copyright": name for name in sorted(names)}, Path(copies))
        told = {name: licenses((Path(copies) / name).read_text("utf-8", "replace")) for name in found}
    return tuple(
        attrs.evolve(package, license=told[package.name][0], own_licenses=told[package.name][1])
        if package.name in told
        else package
        for package in packages
    )


def _installed(run: Run, disk: Path, driver: str) -> System:
    with raw(run, disk, driver) as image:
        found = list(file_systems(image))
        for place in found:
            told = _packages(run, place)
            if told is not None:
                return system(*told, place.read(run, OS_RELEASE) or "")
        strange = [kind for kind, names in UNREAD.items() if any(place.has(run, names) for place in found)]
        others = unread(image)
    seen = f"{len(found)} ext2, ext3 or ext4 file systems without one" if found else "no ext2, ext3 or ext4 file system"
    seen += "".join(f"; a database of {kind}, which is not read" for kind in strange)
    seen += "".join(f"; {name}, which is not read" for name in others)
    raise PostProcessError(
        f"no list of packages was found on {disk.name}",
        details=f"seen: {seen}; what is read: dpkg's, apk's and rpm's",
        resolution="take the Sbom out, or make the image's root one of these file systems"
        if not strange
        else "take the Sbom out, and let a step in the machine write the bill, as by syft",
    )
