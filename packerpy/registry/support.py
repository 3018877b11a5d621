"""The table of what was run against what, as the declarations themselves say it.

``python -m packerpy.registry.support FILE`` writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from packerpy.kit import publish
from packerpy.registry.find import Registered, Role, registered
from packerpy.values import Support

_HEADINGS: Mapping[Role, str] = MappingProxyType(
    {
        "source": "Sources",
        "communicator": "Communicators",
        "provisioner": "Steps and tests",
        "post-processor": "Post-processors",
        "data": "Data",
    }
)

_INTRODUCTION = """\
# What was run against what

Generated from the declarations by `nox -s support`; each class says it of itself in `support`. The status:

- **run**: the tests of this repository use the real thing.
- **simulated**: the tests use a simulator or a stand-in, which is named.
- **by hand**: it was run, but no test does it.
- **not run**: nobody has tried it against the real thing yet.

The host of the tests: Debian 12, Python 3.11, as root.
"""


def render(entries: Iterable[Registered]) -> str:
    """The whole page, Markdown."""
    listed = tuple(entries)
    tables = (_table(role, listed) for role in _HEADINGS)
    return "\n".join((_INTRODUCTION, *(table for table in tables if table)))


def _table(role: Role, entries: Iterable[Registered]) -> str:
    rows = [row for entry in entries if entry.role == role for row in _rows(entry)]
    if not rows:
        return ""
    head = f"## {_HEADINGS[role]}\n\n| component | what it was run against | status |\n| --- | --- | --- |\n"
    return head + "".join(f"| {row.what} | {row.against} | {row.status} |\n" for row in rows)


def _rows(entry: Registered) -> Iterator[Support]:
    """What a class says of itself; one of a third party may say nothing."""
    yield from getattr(entry.cls, "support", ())


def main(target: str) -> None:
    """Write the page."""
    publish.write_text(Path(target), render(registered()))


if __name__ == "__main__":
    main(sys.argv[1])
