"""The declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import PostProcessorSpec, ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_path
from packerpy.declare.values import Secret
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.provenance.worker import Worker

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
BUILDER = "urn:packerpy:builder"
"""Packerpy on a host that nobody vouches for."""


def _key(value: str | Path | Secret) -> Path | Secret:
    return value if isinstance(value, Secret) else host_path(value)


@declaration
class Provenance(PostProcessorSpec, ReadsFiles):
    """Write a signed statement of how the artifact's files came to be: SLSA provenance, version 1, as in-toto.

    Its subjects are the files, by SHA-256; it names the image, its steps with the content key of each, the files that
    they read and the images that it stands on, the versions of what built it, and when. It is a DSSE envelope, one
    JSON line; ``packerpy verify`` checks it and the files against it, and so do other programs that know the format.

    :param key: the private key that signs: a file, or a secret with its text; Ed25519, ECDSA or RSA, as PEM or as
        OpenSSH writes it.
    :param passphrase: of the key, if it has one.
    :param builder_id: a URI that says who vouches for the place where this is built: your CI's. It is the builder's
        id that verifiers decide by whether to trust the statement.
    :param name: the file's name; by default ``<image>.intoto.jsonl``.
    :param keep_input: whether the input stays; by default it does, for the statement is about it.
    """

    kind: ClassVar[str] = "provenance"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Provenance`, `packerpy verify`", "in-toto-attestation and securesystemslib verify it", "run"),
        Support(
            "`Provenance`, keys Ed25519, ECDSA P-256, RSA", "cosign 3.1, `verify-blob-attestation --key`", "by hand"
        ),
        Support("`Provenance` with slsa-verifier", "nothing", "not run"),
    )
    keeps_input: ClassVar[bool] = True
    needs_files: ClassVar[bool] = True

    key: Path | Secret = attrs.field(converter=_key)
    passphrase: Secret | None = attrs.field(default=None, kw_only=True)
    builder_id: str = attrs.field(default=BUILDER, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    keep_input: bool | None = attrs.field(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """One line for people."""
        return "signed provenance"

    def reads(self) -> Iterable[Path]:
        """The key, when it is a file."""
        return () if isinstance(self.key, Secret) else (self.key,)

    def check(self) -> Iterable[Problem]:
        """A key that is not there, a passphrase in clear, a builder that is no URI, a name that is a path."""
        if isinstance(self.key, Path) and not self.key.is_file():
            fix = "make one: openssl genpkey -algorithm ed25519 -out key.pem"
            yield Problem(where="key", what="there is no such file", seen=str(self.key), fix=fix)
        passphrase: object = self.passphrase  # what callers without a type checker may give
        if passphrase is not None and not isinstance(passphrase, Secret):
            yield Problem(where="passphrase", what="is not a secret", fix="give packerpy.Secret(env=…)")
        if not _URI.match(self.builder_id):
            yield Problem(where="builder_id", what="not a URI", seen=self.builder_id, fix="https://ci.example.org/main")
        if self.name is not None and (not self.name or "/" in self.name):
            yield Problem(
                where="name", what="not the name of a file", seen=self.name, fix="give a name without folders"
            )

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.provenance.worker import Worker

        return Worker(self)
