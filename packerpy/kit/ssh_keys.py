"""SSH key pairs made for one build."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from packerpy.errors import BuildError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KeyKind = Literal["ed25519", "rsa", "ecdsa"]
"""Types of keys that are made: RSA with 4096 bits, ECDSA on the curve P-256."""

KEY_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)


@attrs.frozen(kw_only=True)
class KeyPair:
    """A key pair.

    :ivar private: the file with the private key in OpenSSH's format, mode 0600.
    :ivar public: the public key as one line for ``authorized_keys``: ``ssh-ed25519 AAAA… comment``.
    """

    private: Path
    public: str

    @property
    def fingerprint(self) -> str:
        """Of the public key; see :func:`fingerprint`."""
        return fingerprint(self.public)


def make_key_pair(
    folder: Path, comment: str = "packerpy", *, name: str = "id_ed25519", kind: KeyKind = "ed25519"
) -> KeyPair:
    """Make a new key pair, with its private half as the file ``name`` in ``folder``.

    :param folder: made (0700) if missing.
    :param comment: the end of the public line.
    :param kind: another type for those who do not know ed25519.
    :raises BuildError: the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization

    key = _generate(kind)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(path, private)
    except OSError as error:
        raise BuildError(f"cannot write an SSH key to {folder}", details=str(error)) from error
    return KeyPair(private=path, public=f"{public} {comment}".rstrip())


def _generate(kind: KeyKind) -> Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=4096)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else ed25519.Ed25519PrivateKey.generate()


def public_of(private: Path) -> str:
    """The public half of a private key without a passphrase, as ``ssh-ed25519 AAAA…``.

    :raises BuildError: there is no such key.
    """
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_ssh_private_key(private.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(f"cannot read the SSH key {private}", details=str(error)) from error
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _write_private(path: Path, content: bytes) -> None:
    """Never readable by others, not even for a moment, and complete when it appears."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def fingerprint(public: str) -> str:
    """``SHA256:…`` of a public key line, as ``ssh-keygen -l`` prints it.

    :raises ValueError: the text is not a public key line.
    """
    try:
        blob = base64.b64decode(public.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ValueError(f"not a public SSH key: {public[:40]!r}") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
