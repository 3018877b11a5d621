"""Files of checksums, as publishers put them beside their images, and the signatures on them."""

from __future__ import annotations

import base64
import binascii
import difflib
import re
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

import attrs

from packerpy.contracts import Run
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import as_declared, optional_path
from packerpy.errors import BuildError, DeclarationError
from packerpy.kit import process
from packerpy.kit.checksum import Wanted
from packerpy.kit.checksum import parse as parse_checksum
from packerpy.kit.download import SCHEMES, download, shown
from packerpy.values import HostTool, Problem

_BSD = re.compile(r"(?P<algorithm>[A-Za-z0-9]+) ?\((?P<name>.+)\) ?= ?(?P<digits>[0-9A-Fa-f]+)")
_GNU = re.compile(r"\\?(?P<digits>[0-9A-Fa-f]{32,128})(?:[ \t]+[*?]?(?P<name>\S.*))?")
_ARMOR = re.compile(r"-----BEGIN PGP [A-Z ]+-----\r?\n(?P<body>.*?)-----END PGP [A-Z ]+-----", re.DOTALL)
TOOL = HostTool(name="gpgv", package="gpgv", needed_for="signatures of checksum files")


@declaration
class Sums:
    """A checksum that stands in a publisher's file, by the name of the image.

    :param file: address or path of the file (``SHA256SUMS``), in GNU's or BSD's format, or with a digest only. A name
        that fits the end of the image's address better than others wins.
    :param signature: address or path of a detached OpenPGP signature of that file; without it, and with ``keyring``,
        the file itself must be clear-signed.
    :param keyring: the public keys that may have signed it, armored or not. Without it no signature is asked for.
    """

    file: str = attrs.field(converter=as_declared)
    signature: str | None = attrs.field(default=None, kw_only=True, converter=as_declared)
    keyring: Path | None = attrs.field(default=None, kw_only=True, converter=optional_path)

    def check(self) -> Iterable[Problem]:
        """Addresses that can be fetched; a signature only with keys."""
        for where in ("file", "signature"):
            place = getattr(self, where)
            scheme = urllib.parse.urlsplit(place).scheme if place else ""
            if scheme and scheme not in SCHEMES:
                fix = f"use {', '.join(SCHEMES)} or a path"
                yield Problem(where=where, what="is not an address to download", seen=place, fix=fix)
        if not self.file:
            yield Problem(where="file", what="is empty", fix="give the address or path of a file of checksums")
        if self.signature is not None and self.keyring is None:
            yield Problem(
                where="keyring", what="is missing, and a signature proves nothing without keys", fix="give it"
            )
        if self.keyring is not None and not self.keyring.expanduser().is_file():
            yield Problem(where="keyring", what="there is no such file", seen=str(self.keyring), fix="correct the path")

    def tools(self) -> Iterable[HostTool]:
        """What checks the signature."""
        return (TOOL,) if self.keyring is not None else ()


@attrs.frozen(kw_only=True)
class Line:
    """One checksum of such a file; an empty name fits every file."""

    wanted: Wanted
    name: str = ""


def sums_of(declared: str | Sums) -> Sums | None:
    """What ``file:…`` or a :class:`Sums` names; ``None`` for a checksum that is written out."""
    if isinstance(declared, Sums):
        return declared
    if not declared.startswith("file:"):
        return None
    place = declared.removeprefix("file:")
    return Sums("file:" + place if place.startswith("//") else place)


def find_checksum(run: Run, declared: Sums, image: str) -> Wanted:
    """Fetch the file, check its signature, and look up the checksum of an image.

    :param image: the image's address or path.
    :raises BuildError: the file cannot be had, is not signed by one of the keys, or does not name the image.
    """
    path = _fetched(run, declared.file)
    text = path.read_text(encoding="utf-8", errors="replace")
    if declared.keyring is not None:
        text = _signed_text(run, declared, path, text)
    return look_up(lines_of(text), image, shown(declared.file))


def lines_of(text: str) -> list[Line]:
    """All checksums in a text: ``SHA256 (name) = 1f…``, ``1f…  name``, ``1f… *name``, ``1f…``; the rest is skipped."""
    found: list[Line] = []
    for line in map(str.strip, text.splitlines()):
        match = _BSD.fullmatch(line) or _GNU.fullmatch(line)
        if match is None:
            continue
        parts = match.groupdict()
        algorithm = f"{parts['algorithm']}:" if parts.get("algorithm") else ""
        try:
            wanted = parse_checksum(algorithm.lower() + parts["digits"])
        except DeclarationError:
            continue  # an algorithm that is not known here, or a word that only looks like a digest
        found.append(Line(wanted=wanted, name=(parts["name"] or "").removeprefix("./")))
    return found


def look_up(lines: Iterable[Line], image: str, where: str) -> Wanted:
    """The strongest checksum of the image.

    :raises BuildError: it is not there, or names several files that the image could be.
    """
    known = list(lines)
    path = "/" + urllib.parse.unquote(urllib.parse.urlsplit(image).path).lstrip("/")
    base = path.rpartition("/")[2]
    fitting = [line for line in known if line.name and path.endswith("/" + line.name.lstrip("/"))]
    longest = max((len(line.name) for line in fitting), default=0)
    chosen = [line for line in fitting if len(line.name) == longest]
    chosen = chosen or [line for line in known if line.name and line.name.rpartition("/")[2] == base]
    chosen = chosen or [line for line in known if not line.name]
    if not chosen:
        near = difflib.get_close_matches(base, [line.name for line in known], n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BuildError(
            f"{where} has no checksum of {base}",
            details=f"it has {len(known)} checksums",
            resolution=f"{hint}Compare the name with those in the file, or take the file that lies beside the image",
        )
    if len({line.name for line in chosen}) > 1:
        names = ", ".join(sorted(line.name for line in chosen))
        raise BuildError(
            f"{where} has several files that {base} could be",
            details=names,
            resolution="write the checksum out: sha256:…",
        )
    return max((line.wanted for line in chosen), key=lambda wanted: len(wanted.digest))


def _fetched(run: Run, place: str) -> Path:
    if urllib.parse.urlsplit(place).scheme:
        return download(run, place)
    path = Path(place).expanduser()
    if not path.is_file():
        raise BuildError(f"there is no file {path}", resolution="correct the path; it counts from the working folder")
    return path


def _signed_text(run: Run, declared: Sums, sums: Path, text: str) -> str:
    """The text that was signed by one of the keys."""
    program = process.find_tool(TOOL.name, package=TOOL.package, needed_for=TOOL.needed_for)
    folder = run.workdir
    keyring = _binary((declared.keyring or Path()).expanduser(), folder / "keyring.gpg")
    if declared.signature is None:
        words: list[str | Path] = ["--output", "-", sums]
    else:
        words = [_binary(_fetched(run, declared.signature), folder / "signature.gpg"), sums]
    try:
        done = process.call([program, "--keyring", keyring, *words], cancellation=run.cancellation, label="gpgv")
    except BuildError as error:
        raise BuildError(
            f"{shown(declared.file)} is not signed by a key of {declared.keyring}",
            details=error.details,
            resolution="get the publisher's key in a way that you trust; if it is the right one, do not use the file",
        ) from error
    return text if declared.signature is not None else done.text


def _binary(path: Path, target: Path) -> Path:
    """``path``, or an unarmored copy of it: gpgv reads no armored keys."""
    raw = path.read_bytes()
    blocks = [match["body"] for match in _ARMOR.finditer(raw.decode("latin-1"))]
    if not blocks:
        return path
    target.write_bytes(b"".join(_dearmored(block, path) for block in blocks))
    return target


def _dearmored(block: str, path: Path) -> bytes:
    """The bytes of one armored block: after its headers and before its check sum (RFC 9580, section 6.2)."""
    _, _, rest = block.replace("\r", "").partition("\n\n") if not block.startswith("\n") else ("", "", block)
    lines = [line for line in rest.splitlines() if line and not line.startswith("=")]
    try:
        return base64.b64decode("".join(lines), validate=True)
    except binascii.Error as error:
        raise BuildError(f"{path} is no OpenPGP armor", details=str(error)) from error
