"""What is known of the releases: which distribution, and what its packages are called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen(kw_only=True)
class Distribution:
    """A family of releases.

    :ivar name: for people and facts.
    :ivar suites: the releases that are known; others need a mirror to be named.
    :ivar components: taken by default.
    :ivar kernels: flavour → package.
    :ivar keyrings: files with the archive's keys, on a host that has the package of the next line.
    :ivar keyring_package: the package.
    """

    name: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    kernels: Mapping[str, str]
    keyrings: tuple[str, ...]
    keyring_package: str


DEBIAN = Distribution(
    name="debian",
    suites=("bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable"),
    components=("main",),
    kernels=MappingProxyType({"cloud": "linux-image-cloud-amd64", "generic": "linux-image-amd64"}),
    keyrings=("/usr/share/keyrings/debian-archive-keyring.gpg",),
    keyring_package="debian-archive-keyring",
)

UBUNTU = Distribution(
    name="ubuntu",
    suites=("jammy", "noble", "plucky", "questing"),
    components=("main", "universe"),
    kernels=MappingProxyType({"cloud": "linux-image-virtual", "generic": "linux-image-generic"}),
    keyrings=("/usr/share/keyrings/ubuntu-archive-keyring.gpg",),
    keyring_package="ubuntu-keyring",
)

KNOWN = {suite: family for family in (DEBIAN, UBUNTU) for suite in family.suites}

FLAVOURS = ("cloud", "generic")


def distribution(suite: str) -> Distribution:
    """The family of a release; Debian when it is not known."""
    return KNOWN.get(suite, DEBIAN)
