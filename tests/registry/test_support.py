"""The table of what was run against what."""

from __future__ import annotations

from pathlib import Path

import pytest

from packerpy.registry import Registered, registered
from packerpy.registry.support import main, render
from packerpy.values import Support

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "support.md"


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: f"{entry.role} {entry.kind}")
def test_every_declaration_says_what_it_was_run_against(entry: Registered) -> None:
    """No built-in can be added without saying it; the words fit into a table's cell."""
    rows = getattr(entry.cls, "support", ())
    assert rows
    for row in rows:
        assert isinstance(row, Support)
        assert row.what
        assert row.against
        assert not {"|", "\n"} & set(row.what + row.against)
        assert row.status in {"run", "simulated", "by hand", "not run"}


def test_the_page_is_what_the_declarations_say() -> None:
    """The committed page is the generated one; `nox -s support` writes it anew."""
    assert PAGE.read_text() == render(registered())


def test_writing_the_page(tmp_path: Path) -> None:
    """The module's command writes the same text."""
    main(str(tmp_path / "support.md"))
    assert (tmp_path / "support.md").read_text() == render(registered())


def test_a_class_that_says_nothing_has_no_row() -> None:
    """A third party's declaration may be silent; its role then has no table."""

    class Silent:
        kind = "silent"

    assert "## " not in render([Registered("silent", "source", Silent)])
