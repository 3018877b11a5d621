"""Private keys and certificates, read from files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import attrs
import paramiko

from packerpy.errors import CommunicatorError


@attrs.frozen
class Certificate:
    """A public key that somebody signed."""

    path: Path
    kind: str
    blob: bytes

    def key_among(self, keys: Sequence[tuple[Path, paramiko.PKey]]) -> Path:
        """The key that it certifies: its public numbers stand in the certificate as they do in the key.

        :raises CommunicatorError: it is none of these.
        """
        for path, key in keys:
            name = key.get_name()
            if self.kind.startswith(f"{name}-cert-") and key.asbytes()[4 + len(name) :] in self.blob:
                return path
        raise CommunicatorError(
            f"the SSH certificate {self.path} is for none of the keys",
            details=f"keys: {', '.join(str(path) for path, _ in keys)}",
            resolution="give the private key that it was signed for in key_files=",
        )


def load_certificate(path: Path) -> Certificate:
    """Read an OpenSSH certificate.

    :raises CommunicatorError: it is missing or no certificate.
    """
    try:
        kind, encoded = path.read_text(encoding="utf-8").split()[:2]
        blob = base64.b64decode(encoded, validate=True)
    except OSError as error:
        raise CommunicatorError(f"cannot read the SSH certificate {path}", details=error.strerror) from error
    except ValueError as error:
        raise _no_certificate(path, str(error)) from error
    if "-cert-v01@openssh.com" not in kind:
        raise _no_certificate(path, f"it holds a key of type {kind}")
    return Certificate(path, kind, blob)


def _no_certificate(path: Path, seen: str) -> CommunicatorError:
    return CommunicatorError(
        f"{path} is not an SSH certificate", details=seen, resolution="`ssh-keygen -s` makes `…-cert.pub`"
    )


class KeyProtected(CommunicatorError):
    """A private key cannot be read without its passphrase, or not with this one."""


def load_key(path: Path, passphrase: str | None = None) -> paramiko.PKey:
    """Read a private key.

    :param passphrase: not looked at if the key has none.
    :raises KeyProtected: it has a passphrase, and not this one.
    :raises CommunicatorError: it is missing, or no private key.
    """
    try:
        try:
            key = paramiko.PKey.from_path(path)
        except TypeError as error:  # so says the library that a key has a passphrase
            key = _unlocked(path, passphrase, error)
    except OSError as error:
        raise CommunicatorError(f"cannot read the SSH key {path}", details=error.strerror) from error
    except KeyProtected:
        raise
    except Exception as error:  # the library raises what its parsers happen to raise
        raise CommunicatorError(
            f"{path} is not a private SSH key", details=f"{type(error).__name__}: {error}"
        ) from error
    key.public_blob = None  # a certificate that happens to lie beside it; declared ones are used
    return key


def _unlocked(path: Path, passphrase: str | None, locked: TypeError) -> paramiko.PKey:
    if passphrase is None:
        raise KeyProtected(
            f"the SSH key {path} is protected by a passphrase",
            resolution="give key_passphrase=, or add it to an SSH agent and declare agent=True",
        ) from locked
    try:
        return paramiko.PKey.from_path(path, passphrase.encode())  # type: ignore[arg-type]
    except ValueError as error:
        raise KeyProtected(
            f"the SSH key {path} is protected by another passphrase", resolution="correct key_passphrase="
        ) from error
