"""Which request, as declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

import attrs

from packerpy.contracts import DataSource
from packerpy.declare import Data, Later, Text
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.declare.fields import pairs, text_map
from packerpy.declare.later import shown_text
from packerpy.kit.choices import suggestion
from packerpy.values import Problem, Support

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def _codes(value: int | Iterable[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


@declaration
class HTTPData(Data):
    """The answer of a web server: ``HTTPData("https://…/latest.json")["data"]["version"]``.

    It reads ``status``; ``headers``, by lower-case name; ``text``, the body; ``data``, what the body says if it is
    JSON; ``sha256``, the digest of the body. Servers that do not answer or are overloaded are asked again.

    :param url: with ``http://`` or ``https://``; may be a secret.
    :param method: ``GET`` by default.
    :param headers: of the request; values may be secrets.
    :param body: of the request.
    :param expect: status codes that mean success.
    :param sha256: digest that the body must have.
    :param timeout: seconds for each attempt.
    :param secret: what it answers is secret: masked everywhere, and in keys as a keyed hash.
    """

    kind: ClassVar[str] = "http"
    support: ClassVar[tuple[Support, ...]] = (Support("`HTTPData`", "a web server of the tests", "run"),)

    url: Text
    method: str = attrs.field(default="GET", kw_only=True)
    headers: Mapping[str, Text] = attrs.field(factory=dict, converter=text_map, eq=pairs, kw_only=True)
    body: Text | None = attrs.field(default=None, kw_only=True)
    expect: tuple[int, ...] = attrs.field(default=(200,), converter=_codes, kw_only=True)
    sha256: str | Later | None = attrs.field(default=None, kw_only=True)
    timeout: float = attrs.field(default=30.0, kw_only=True)
    secret: bool = attrs.field(default=False, kw_only=True)
    name: str = attrs.field(default="", kw_only=True, metadata=FROM_CALLER)

    @property
    def title(self) -> str:
        """Method and address, without what may be secret in it."""
        address = shown_text(self.url)
        return f"{self.method} {re.sub(r'//[^/@]*@', '//', address).partition('?')[0]}"

    def check(self) -> Iterable[Problem]:
        """Address, method, names, codes, digest, time."""
        if isinstance(self.url, str) and not re.match(r"https?://[^/\s]+", self.url):
            yield Problem(where="url", what="is not an http address", seen=self.url, fix="write https://host/path")
        if self.method not in METHODS:
            fix = suggestion(self.method, METHODS)
            yield Problem(where="method", what="is not known", seen=self.method, fix=fix)
        for name in self.headers:
            if not _NAME.match(name):
                yield Problem(where="headers", what="not a name for a header", seen=repr(name))
        if self.body is not None and self.method in ("GET", "HEAD"):
            fix = "leave it out, or use method='POST'"
            yield Problem(where="body", what=f"a {self.method} request has no body", fix=fix)
        if not self.expect or not all(100 <= code <= 599 for code in self.expect):
            yield Problem(where="expect", what="needs codes from 100 to 599", seen=str(list(self.expect)))
        if isinstance(self.sha256, str) and not _SHA256.match(self.sha256):
            yield Problem(where="sha256", what="is not a SHA-256 digest", seen=self.sha256, fix="give 64 hex digits")
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.data.http.worker import Worker

        return Worker(self)
