"""The marks on everything a build makes, by which it is found again."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from packerpy.contracts import Run

TOKEN = "packerpy:token"  # noqa: S105  the name of a tag
"""Different on each thing; chosen before the thing is made."""

RUN = "packerpy:run"
BUILD = "packerpy:build"
LAYER = "packerpy:layer"
"""On images that hold a machine between two steps of a build."""


def new_token() -> str:
    """For one thing."""
    return secrets.token_hex(10)


def marks(run: Run, token: str, more: Mapping[str, str] = {}) -> dict[str, str]:
    """The tags of one thing: the user's, and ours."""
    return {**more, RUN: run.id, BUILD: run.name[:256], TOKEN: token}


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As Amazon's requests have them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specifications(kinds: Iterable[str], tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags to be put on things in the moment they are made."""
    return [{"ResourceType": kind, "Tags": pairs(tags)} for kind in kinds]


def by_token(token: str) -> list[dict[str, Any]]:
    """A filter that finds one thing."""
    return [{"Name": f"tag:{TOKEN}", "Values": [token]}]
