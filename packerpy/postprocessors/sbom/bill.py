"""What both formats say, in neither's words."""

from __future__ import annotations

import datetime as dt
import os
import re
import uuid
from collections.abc import Mapping
from functools import cache

import attrs
from license_expression import ExpressionError, ParseError, get_spdx_licensing
from packageurl import PackageURL

from packerpy.postprocessors.sbom.packages import OwnLicense, Package, System

_SPACE = uuid.UUID("8f0f6c0e-4c8d-5b52-9a0a-0c1f9d6a7f3b")
"""Turns a disk's digest into the bill's own id, so that equal disks have equal bills; any constant would do."""

LICENSING = get_spdx_licensing()
"""Made once: it takes a tenth of a second."""

_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


@attrs.frozen(kw_only=True)
class Bill:
    """A bill before it is written.

    :ivar name: the disk's file name.
    :ivar image: the image's name.
    :ivar sha256: of the disk.
    """

    name: str
    image: str
    sha256: str
    system: System
    created: dt.datetime

    @property
    def id(self) -> uuid.UUID:
        """The same for the same disk."""
        return uuid.uuid5(_SPACE, f"{self.name}:{self.sha256}")

    def purl(self, package: Package) -> PackageURL:
        """Its package URL: ``pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12``."""
        system = self.system
        distro = f"{system.distribution}-{system.release}" if system.release else system.distribution
        return PackageURL(
            type=system.type,
            namespace=system.distribution,
            name=package.name,
            version=package.version,
            qualifiers={"arch": package.arch, "distro": distro, "epoch": package.epoch},
        )

    def own_licenses(self) -> tuple[OwnLicense, ...]:
        """Every licence that packages are declared under, and SPDX has no name for."""
        told = {one.reference: one for package in self.system.packages for one in package.own_licenses}
        names = {name for package in self.system.packages for name in own_references(package.license) or ()}
        return tuple(told.get(name) or OwnLicense(reference=name, name="", text="") for name in sorted(names))

    def person(self, package: Package) -> tuple[str, str]:
        """The maintainer's name and address; either may be empty: some write a page where an address belongs."""
        found = re.fullmatch(r"\s*(.*?)\s*(?:<([^<>]*)>)?\s*", package.maintainer)
        name, address = (found[1], found[2] or "") if found else (package.maintainer, "")
        return name, address if re.fullmatch(r"[^\s@/]+@[^\s@/]+", address) else ""


@cache
def own_references(declared: str) -> tuple[str, ...] | None:
    """The licences in an SPDX expression that SPDX has no name for; ``None`` where it is no such expression."""
    try:
        unknown = LICENSING.unknown_license_keys(declared)
        wrong = LICENSING.validate(declared).errors if not unknown else []
    except (ExpressionError, ParseError):
        return None
    good = not wrong and all(_REFERENCE.fullmatch(name) for name in unknown)
    return tuple(dict.fromkeys(unknown)) if good else None


def now() -> dt.datetime:
    """In whole seconds, or what the reproducible-builds convention says it is."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    if fixed.isdecimal():
        return dt.datetime.fromtimestamp(int(fixed), dt.UTC)
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


Needs = Mapping[Package, tuple[Package, ...]]
