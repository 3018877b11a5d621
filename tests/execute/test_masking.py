"""Secrets are masked in every form they are printed in."""

from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packerpy.execute.masking import MASK, Masker

SECRET = "p@ss wörd/'\"$&+"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        shlex.quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        SECRET.replace("'", "''"),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_forms(form: str) -> None:
    """Raw, quoted, encoded: none is seen."""
    masker = Masker()
    masker.hide(SECRET)
    masked = masker(f"before {form} after")
    assert MASK in masked
    assert form not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_base64_at_any_alignment(before: bytes, after: bytes) -> None:
    """A secret inside something longer that is printed in base64 is masked too."""
    masker = Masker()
    masker.hide("a-long-enough-secret")
    encoded = base64.b64encode(before + b"a-long-enough-secret" + after).decode()
    assert MASK in masker(encoded)


def test_lines_of_a_long_secret() -> None:
    """A private key printed line by line is masked line by line."""
    masker = Masker()
    masker.hide("-----BEGIN-----\nabcdefgh\nijklmnop\n-----END-----")
    assert masker("line: ijklmnop") == f"line: {MASK}"


def test_short_secrets_do_not_eat_the_log() -> None:
    """Of two letters only themselves are masked, not their encoded forms."""
    masker = Masker()
    masker.hide("ab")
    assert masker("YWI=") == "YWI="


def test_nothing_hidden_changes_nothing() -> None:
    """An empty secret masks nothing."""
    masker = Masker()
    masker.hide("")
    assert masker("text") == "text"
