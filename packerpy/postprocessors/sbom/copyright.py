"""The licences in Debian's machine-readable files of copyrights, as SPDX has them; see DEP-5."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

from debian.copyright import License
from debian.deb822 import Deb822

from packerpy.postprocessors.sbom.bill import LICENSING
from packerpy.postprocessors.sbom.packages import OwnLicense

_BINDING = tuple(
    (re.compile(pattern, re.IGNORECASE), word)
    for pattern, word in ((r",\s*or\s+", "OR"), (r",\s*and\s+", "AND"), (r"\s+or\s+", "OR"), (r"\s+and\s+", "AND"))
)
"""How names are joined, from what binds least: with a comma less than without, ``or`` less than ``and``."""

_WITH = re.compile(r"(?P<name>\S+)\s+with\s+(?:the\s+)?(?P<exception>\S.*?)(?:\s+exceptions?)?", re.IGNORECASE)
_GNU = re.compile(
    r"(?P<family>AGPL|LGPL|GPL|GFDL)(?P<free>-NIV)?-v?(?P<version>\d(?:\.\d+)?)(?P<later>\+?)", re.IGNORECASE
)

_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "3c-bsd": "BSD-3-Clause",
        "artistic": "Artistic-1.0-Perl",
        "bsd-0-clause": "0BSD",
        "bsd-2": "BSD-2-Clause",
        "bsd-3": "BSD-3-Clause",
        "bsd-4": "BSD-4-Clause",
        "bsl": "BSL-1.0",
        "cc0": "CC0-1.0",
        "expat": "MIT",
        "mit/x11": "MIT",
        "openldap-2.8": "OLDAP-2.8",
        "perl": "(Artistic-1.0-Perl OR GPL-1.0-or-later)",
        "sil-1.1": "OFL-1.1",
        "x/mit": "MIT",
        "zlib/libpng": "Zlib",
        "zope-2.1": "ZPL-2.1",
    }
)
"""Names that Debian uses, in lower case, for what SPDX calls otherwise."""


def licenses(text: str) -> tuple[str, tuple[OwnLicense, ...]]:
    """The SPDX expression of all that a file names, and those licences in it that SPDX has no name for.

    What the header says counts for the whole; else all that is said of any files. Both are empty where the file is not
    machine-readable.
    """
    if not text.lstrip().lower().startswith("format"):
        return "", ()
    paragraphs = list(Deb822.iter_paragraphs(text.splitlines(), use_apt_pkg=False))
    found = [(paragraph, License.from_str(paragraph.get("License"))) for paragraph in paragraphs]
    texts = {one.synopsis.strip(): one.text.strip() for _, one in found if one is not None and one.text.strip()}
    said = [one.synopsis.strip() for _, one in found[:1] if one is not None]
    if not any(said):
        said = [one.synopsis.strip() for paragraph, one in found if one is not None and "Files" in paragraph]
    reader = _Reader(texts)
    names = list(dict.fromkeys(one for one in said if one))
    parts = dict.fromkeys(reader.expression(one, inside=len(names) > 1) for one in names)
    return " AND ".join(parts), tuple(reader.own.values())


class _Reader:
    """Turns names into expressions, and remembers those that SPDX does not have.

    :param texts: name of a licence → its text.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.own: dict[str, OwnLicense] = {}

    def expression(self, said: str, *, inside: bool) -> str:
        """The expression for names that are joined; in brackets where it stands inside another."""
        for pattern, word in _BINDING:
            parts = pattern.split(said)
            if len(parts) > 1:
                joined = f" {word} ".join(dict.fromkeys(self.expression(part, inside=True) for part in parts if part))
                return f"({joined})" if inside else joined
        return self._one(said.strip())

    def _one(self, name: str) -> str:
        found = _spdx(name)
        limited = _WITH.fullmatch(name)
        if found is None and limited is not None:
            base, exception = _spdx(limited["name"]), _exception(limited["name"], limited["exception"])
            found = f"{base} WITH {exception}" if base is not None and exception is not None else None
        return found or self._own(name)

    def _own(self, name: str) -> str:
        """A reference that differs for other words of the same name: everybody has a public domain of his own."""
        text = self._texts.get(name, "")
        mark = hashlib.sha256(f"{name}\n{text}".encode()).hexdigest()[:8]
        reference = f"LicenseRef-debian-{re.sub(r'[^A-Za-z0-9.-]+', '-', name).strip('-') or 'unnamed'}-{mark}"
        self.own[reference] = OwnLicense(reference=reference, name=name, text=text)
        return reference


def _known(*, exceptions: bool) -> Mapping[str, str]:
    known = LICENSING.known_symbols.items()
    kind = {key for key, symbol in known if bool(symbol.is_exception) == exceptions}
    return MappingProxyType({key.lower(): key for key in kind if not key.startswith("LicenseRef-")})


_LICENSES, _EXCEPTIONS = _known(exceptions=False), _known(exceptions=True)
"""SPDX's identifiers, by themselves in lower case."""


def _spdx(name: str) -> str | None:
    gnu = _GNU.fullmatch(name)
    if gnu is not None:
        version = gnu["version"] if "." in gnu["version"] else f"{gnu['version']}.0"
        free = "-no-invariants" if gnu["free"] else ""
        name = f"{gnu['family']}-{version}{free}-{'or-later' if gnu['later'] else 'only'}"
    lower = name.lower()
    return _OTHER_NAMES.get(lower) or _LICENSES.get(lower) or _LICENSES.get(f"{lower}.0")


def _exception(name: str, exception: str) -> str | None:
    """SPDX's exceptions are called by what they are for, and many by the version of the licence."""
    called = exception.lower().replace(" ", "-").removesuffix("-exception")
    version = re.search(r"\d", name)
    for end in ("", "-exception", f"-exception-{version[0] if version else 0}.0", "-exception-2.2", "-exception-2.0"):
        if f"{called}{end}" in _EXCEPTIONS:
            return _EXCEPTIONS[f"{called}{end}"]
    return None
