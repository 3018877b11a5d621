"""Fields that may hold something known only later."""

from __future__ import annotations

from pathlib import Path

import pytest

import packerpy as pp
from packerpy.declare.fields import as_declared, host_path, host_paths, known, optional_path, word_list
from packerpy.errors import DeclarationError

LATER = pp.Variable("folder")


def test_paths() -> None:
    """Texts become paths, one stands for a list of one, and what is known later stays itself."""
    assert host_path("a/b") == Path("a/b")
    assert host_paths(["a", Path("b")]) == (Path("a"), Path("b"))
    assert host_paths("a") == (Path("a"),)
    assert optional_path(None) is None
    assert host_path(LATER) is LATER  # type: ignore[comparison-overlap]
    assert host_paths(LATER) == (LATER,)  # type: ignore[comparison-overlap]
    assert known(host_path("a"))
    assert not known(host_path(LATER))


def test_what_is_no_path() -> None:
    """A secret that a variable turned out to be cannot name a file, and is not shown."""
    with pytest.raises(DeclarationError, match="a Secret stands where a path belongs") as caught:
        host_path(pp.Secret(value="hush-hush"))  # type: ignore[arg-type]
    assert "hush" not in str(caught.value)


def test_words() -> None:
    """One word or many; a text with a slash at its end keeps it."""
    assert word_list("a") == ("a",)
    assert word_list(["a", LATER]) == ("a", LATER)  # type: ignore[comparison-overlap]
    assert word_list(LATER) == (LATER,)  # type: ignore[comparison-overlap]
    assert word_list(None) == ()
    assert as_declared("site/") == "site/"
    assert as_declared(LATER) is LATER
