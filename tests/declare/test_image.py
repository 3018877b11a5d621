"""Declarations: frozen, hashable, comparable, readable, and wrong ones say so."""

from __future__ import annotations

import attrs
import pytest

import packerpy as pp
from packerpy.errors import DeclarationError


def test_images_are_values() -> None:
    """Two images declared alike are equal and hash alike; a changed one differs."""
    one = pp.Image("web", pp.Fake(content="a"))
    same = pp.Image("web", sources=[pp.Fake(content="a")])
    other = pp.Image("web", pp.Fake(content="b"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


def test_images_are_frozen() -> None:
    """Nothing of a declaration can be changed after it was made."""
    image = pp.Image("web", pp.Fake())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        image.name = "other"  # type: ignore[misc]


def test_source_and_sources_exclude_each_other() -> None:
    """Giving both is an error that says what to do."""
    with pytest.raises(DeclarationError, match="both source= and sources="):
        pp.Image("web", pp.Fake(), sources=[pp.Fake()])


def test_output_reads_like_its_path() -> None:
    """A reference prints as image.output, and its repr does not unfold the whole image."""
    image = pp.Image("base", pp.Fake(content="x" * 500))
    assert str(image.output("disk")) == "base.disk"
    assert len(repr(image.output("disk"))) < 60


def test_secret_has_one_origin() -> None:
    """None or two origins are refused."""
    with pytest.raises(DeclarationError, match="exactly one origin"):
        pp.Secret()
    with pytest.raises(DeclarationError, match="exactly one origin"):
        pp.Secret(env="A", value="b")


def test_secret_never_shows() -> None:
    """Neither str nor repr nor the repr of a declaration around it shows a secret's value."""
    secret = pp.Secret(value="hunter2")
    shell = pp.Shell("true", env={"PASSWORD": secret})
    assert "hunter2" not in f"{secret} {secret!r} {shell!r}"


def test_variable_in_a_string_is_refused() -> None:
    """An f-string would freeze a variable before it has a value, so it raises instead."""
    with pytest.raises(DeclarationError, match="put into a string"):
        str(pp.Variable("release"))


@pytest.mark.parametrize("name", ["", "with space", "1st", "a-b"])
def test_variable_names(name: str) -> None:
    """A variable's name is an identifier."""
    with pytest.raises(DeclarationError, match="is not a name"):
        pp.Variable(name)
