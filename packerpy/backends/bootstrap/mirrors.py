"""Where packages come from: what the user says, else what the host's own apt is configured to use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from packerpy.backends.bootstrap.specs import Bootstrap

_UNSTABLE = ("sid", "unstable", "experimental")
"""Releases without updates and security archives of their own."""

_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>[^#]*)")


@attrs.frozen
class Entry:
    """One archive of the host."""

    uri: str
    suite: str


def source_lines(spec: Bootstrap, apt: Path = Path("/etc/apt"), release: Path = Path("/etc/os-release")) -> list[str]:
    """``deb`` lines for the tree; empty when nobody knows better than mmdebstrap itself.

    :param apt: the host's apt configuration.
    :param release: what the host is.
    """
    suite = str(spec.suite)
    components = " ".join(spec.components or spec.distribution.components)
    if spec.mirror:
        lines = [str(mirror) for mirror in spec.mirror]
        return [line if line.startswith("deb ") else f"deb {line} {suite} {components}" for line in lines]
    host = _os_release(release)
    codename = host.get("VERSION_CODENAME", "")
    if host.get("ID") != spec.distribution.name or not codename:
        return []
    found: dict[str, None] = {}
    for entry in host_entries(apt):
        if entry.suite == codename or entry.suite.startswith((f"{codename}-", f"{codename}/")):
            ending = entry.suite[len(codename) :]
            if "backports" in ending or (ending and suite in _UNSTABLE):
                continue
            found[f"deb {entry.uri} {suite}{ending} {components}"] = None
    return list(found)


def host_entries(apt: Path) -> Iterable[Entry]:
    """All binary archives that apt on this host uses, in the order of its files."""
    folder = apt / "sources.list.d"
    for path in [apt / "sources.list", *(sorted(folder.iterdir()) if folder.is_dir() else [])]:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".list":
            yield from _one_line_style(text)
        elif path.suffix == ".sources":
            yield from _deb822_style(text)


def _one_line_style(text: str) -> Iterable[Entry]:
    for line in text.splitlines():
        if found := _LINE.match(line.strip()):
            yield Entry(found["uri"], found["suite"])


def _deb822_style(text: str) -> Iterable[Entry]:
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", without_comments):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE))
        fields = {name.lower(): value.split() for name, value in fields.items()}
        if "deb" not in fields.get("types", []) or fields.get("enabled", ["yes"])[0].lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", []):
            yield from (Entry(uri, suite) for suite in fields.get("suites", []))


def _os_release(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: value.strip().strip("\"'") for name, mark, value in pairs if mark}
