"""The pinned versions can be installed where the two commands promise to work."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

PINNED = Path(__file__).parents[2] / "tools" / "constraints.txt"

DEBIAN = "3.11.2"
"""The Python of Debian 12."""


def test_pinned_versions_run_on_debian() -> None:
    """A newer Python than Debian's, with which the file may have been written, takes versions that Debian's does not."""
    pinned = {tuple(line.lower().split("==")) for line in PINNED.read_text().splitlines() if not line.startswith("#")}
    installed = [one for one in distributions() if (one.metadata["Name"].lower(), one.version) in pinned]
    assert len(installed) > 50
    wanted = {f"{one.metadata['Name']} {one.version}": one.metadata["Requires-Python"] or "" for one in installed}
    assert {name: said for name, said in wanted.items() if DEBIAN not in SpecifierSet(said)} == {}
