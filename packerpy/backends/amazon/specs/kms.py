"""Names of keys of Amazon's Key Management Service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packerpy.values import Problem

_ID = r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_ARN = re.compile(rf"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:(key/{_ID}|alias/[A-Za-z0-9/_-]+)")
_NAME = re.compile(rf"{_ID}|alias/[A-Za-z0-9/_-]{{1,250}}")


def key_problems(where: str, key: str | None, *, arn_only: bool = False) -> Iterable[Problem]:
    """Whether a text can name a key.

    :param arn_only: of the ways to name one, only the longest will do.
    """
    if key is None or _ARN.fullmatch(key) or (_NAME.fullmatch(key) and not arn_only):
        return
    fix = "give its ARN (arn:aws:kms:REGION:ACCOUNT:key/…)" + ("" if arn_only else ", its id, or alias/NAME")
    yield Problem(where=where, what="does not name a key of KMS", seen=repr(key), fix=fix)


def keys_problems(where: str, keys: Mapping[str, str], *, arn_only: bool = False) -> Iterable[Problem]:
    """The same for region → key."""
    for region, key in keys.items():
        yield from key_problems(f"{where}[{region!r}]", key, arn_only=arn_only)
