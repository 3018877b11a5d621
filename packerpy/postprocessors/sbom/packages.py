"""What a system says is installed in it, and how the databases of dpkg and apk are read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import attrs


@attrs.frozen(kw_only=True)
class OwnLicense:
    """A licence that SPDX has no name for.

    :ivar reference: what expressions call it: ``LicenseRef-…``.
    :ivar name: what its makers call it.
    :ivar text: its words; empty where they are not known.
    """

    reference: str
    name: str
    text: str


@attrs.frozen(kw_only=True)
class Package:
    """One installed package.

    :ivar source: what it was built from: ``name@version``; empty when that has its own name and version.
    :ivar maintainer: as written: ``Name <address>``.
    :ivar depends: of each thing it needs, the names that would do.
    :ivar provides: other names it goes by.
    :ivar license: as its makers write it: an SPDX expression, or other words; empty where nothing tells.
    :ivar own_licenses: those in it that SPDX has no name for, as far as more is known of them.
    :ivar epoch: of an rpm, where it has one; that of Debian's packages is in their version.
    """

    name: str
    version: str
    arch: str
    source: str = ""
    maintainer: str = ""
    homepage: str = ""
    summary: str = ""
    depends: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()
    license: str = ""
    own_licenses: tuple[OwnLicense, ...] = ()
    epoch: str = ""


@attrs.frozen(kw_only=True)
class System:
    """What is installed.

    :ivar type: of package URLs: ``deb``, ``apk`` or ``rpm``.
    :ivar distribution: ``debian``.
    :ivar release: ``12``; empty for a rolling one.
    """

    type: str
    distribution: str
    release: str
    title: str
    packages: tuple[Package, ...]

    def needs(self) -> Mapping[Package, tuple[Package, ...]]:
        """Of each package, the installed ones that it stands on."""
        by_name: dict[str, Package] = {}
        for package in self.packages:
            for name in package.provides:
                by_name.setdefault(name, package)
        by_name.update({package.name: package for package in self.packages})
        return {package: _first_there(package, by_name) for package in self.packages}


def _first_there(package: Package, by_name: Mapping[str, Package]) -> tuple[Package, ...]:
    chosen = (next((by_name[name] for name in names if name in by_name), None) for names in package.depends)
    return tuple(dict.fromkeys(one for one in chosen if one is not None and one is not package))


def read(kind: str, database: str) -> tuple[Package, ...]:
    """Read a database.

    :param kind: ``deb`` or ``apk``.
    """
    return tuple(_READERS[kind](database))


def system(kind: str, packages: Iterable[Package], os_release: str) -> System:
    """What is installed in a system of which that file tells what it is.

    :param kind: ``deb``, ``apk`` or ``rpm``.
    """
    told = dict(_shell_values(os_release))
    packages = sorted(packages, key=lambda package: (package.name, package.arch, package.version))
    return System(
        type=kind,
        distribution=told.get("ID", _USUAL[kind]),
        release=told.get("VERSION_ID", ""),
        title=told.get("PRETTY_NAME", told.get("NAME", "")),
        packages=tuple(packages),
    )


def _shell_values(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        if sign and not name.startswith("#"):
            yield name.strip(), " ".join(shlex.split(value))


def _dpkg(text: str) -> Iterator[Package]:
    """Those that are unpacked or better; what was removed but for its settings is not there."""
    for fields in _paragraphs(text):
        if fields.get("Status", "").split()[-1:] in (["not-installed"], ["config-files"], []):
            continue
        version = fields["Version"]
        yield Package(
            name=fields["Package"],
            version=version,
            arch=fields.get("Architecture", "all"),
            source=_source(fields.get("Source", ""), version),
            maintainer=fields.get("Maintainer", ""),
            homepage=fields.get("Homepage", ""),
            summary=fields.get("Description", ""),
            depends=(*_alternatives(fields.get("Pre-Depends", "")), *_alternatives(fields.get("Depends", ""))),
            provides=tuple(names[0] for names in _alternatives(fields.get("Provides", ""))),
        )


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Fields of each; of those that go on over lines the first line."""
    for paragraph in text.split("\n\n"):
        pairs = (line.partition(":") for line in paragraph.splitlines() if line[:1] not in (" ", "\t"))
        fields = {name: value.strip() for name, _, value in pairs}
        if "Package" in fields and "Version" in fields:
            yield fields


def _source(field: str, version: str) -> str:
    """``Source: name`` or ``Source: name (version)``; without it the package is its own source."""
    if not field:
        return ""
    name, _, rest = field.partition(" ")
    return f"{name}@{rest.strip('()') or version}"


def _alternatives(field: str) -> tuple[tuple[str, ...], ...]:
    """``a (>= 1), b:any | c`` as names."""
    return tuple(
        tuple(re.split(r"[\s:(\[]", one.strip(), maxsplit=1)[0] for one in item.split("|"))
        for item in field.split(",")
        if item.strip()
    )


def _apk(text: str) -> Iterator[Package]:
    """Fields of one letter; ``P`` is the name."""
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in paragraph.splitlines() if line[1:2] == ":")
        if "P" not in fields or "V" not in fields:
            continue
        needs = tuple((_apk_name(word),) for word in fields.get("D", "").split() if not word.startswith("!"))
        origin = fields.get("o", fields["P"])
        yield Package(
            name=fields["P"],
            version=fields["V"],
            arch=fields.get("A", "noarch"),
            source=f"{origin}@{fields['V']}" if origin != fields["P"] else "",
            maintainer=fields.get("m", ""),
            homepage=fields.get("U", ""),
            summary=fields.get("T", ""),
            license=fields.get("L", ""),
            depends=needs,
            provides=tuple(_apk_name(word) for word in fields.get("p", "").split()),
        )


def _apk_name(word: str) -> str:
    return re.split(r"[<>=~]", word, maxsplit=1)[0]


_USUAL = MappingProxyType({"deb": "debian", "apk": "alpine", "rpm": "linux"})
"""What a system is called that does not say what it is: os-release's own default where nobody can tell."""

_READERS: Mapping[str, Callable[[str], Iterator[Package]]] = MappingProxyType({"deb": _dpkg, "apk": _apk})

DATABASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"deb": ("/var/lib/dpkg/status",), "apk": ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")}
)
"""Where each lies."""

UNREAD = MappingProxyType(
    {
        "pacman": ("/var/lib/pacman/local/ALPM_DB_VERSION",),
        "rpm in its own format (ndb)": ("/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/Packages.db"),
    }
)
"""Where others lie, which are not read."""

OS_RELEASE = ("/usr/lib/os-release", "/etc/os-release")
