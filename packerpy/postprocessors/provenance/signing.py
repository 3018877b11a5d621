"""The formats and the signatures; the only importer of their libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
    load_ssh_public_key,
)
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError as BadSignature
from securesystemslib.signer import CryptoSigner, SSlibKey

from packerpy.errors import PostProcessError, VerificationError

_RSA = "rsa-pkcs1v15-sha256"
"""The scheme by which cosign signs and verifies with RSA keys; the library's own choice is another."""
PREDICATE = "https://slsa.dev/provenance/v1"
PAYLOAD = "application/vnd.in-toto+json"


def signer(text: bytes, passphrase: str | None) -> CryptoSigner:
    """A signer from the text of a private key.

    :raises PostProcessError: it is not one, or the passphrase does not open it.
    """
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        key = load(text, passphrase.encode() if passphrase is not None else None)
        public = SSlibKey.from_crypto(key.public_key(), scheme=_RSA if isinstance(key, RSAPrivateKey) else None)
        return CryptoSigner(key, public)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PostProcessError(
            "the key cannot be used to sign",
            details=str(error),
            resolution="give an Ed25519, ECDSA or RSA private key as PEM or OpenSSH, and its passphrase if it has one",
        ) from error


def signed(subjects: Mapping[str, str], predicate: Mapping[str, Any], by: CryptoSigner) -> str:
    """The envelope, one line of JSON.

    :param subjects: name → SHA-256.
    """
    # the format's own definition refuses what does not belong there
    json_format.ParseDict(dict(predicate), provenance_pb2.Provenance())
    described = [ResourceDescriptor(name=name, digest={"sha256": digest}).pb for name, digest in subjects.items()]
    statement = Statement(described, PREDICATE, dict(predicate))
    statement.validate()
    payload = json.dumps(json_format.MessageToDict(statement.pb), sort_keys=True).encode()
    envelope = Envelope(payload, PAYLOAD, {})
    envelope.sign(by)
    return json.dumps(envelope.to_dict()) + "\n"


def public_key(text: bytes) -> SSlibKey:
    """A public key, PEM or OpenSSH.

    :raises VerificationError: it is not one.
    """
    load = load_pem_public_key if b"-----BEGIN" in text else load_ssh_public_key
    try:
        return SSlibKey.from_crypto(load(text))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationError(
            "this is not a public key",
            details=str(error),
            resolution="give the public half: openssl pkey -in key.pem -pubout",
        ) from error


def opened(text: str, key: SSlibKey | None) -> dict[str, Any]:
    """The statement in an envelope, its signature checked when a key is given.

    :raises VerificationError: it is no such envelope, it is not signed by the key, or what it says is no provenance.
    """
    try:
        envelope = Envelope.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationError("this is not a signed statement", details=f"{type(error).__name__}: {error}") from error
    if key is not None:
        _check_signature(envelope, key)
    if envelope.payload_type != PAYLOAD:
        raise VerificationError(
            "this is signed, but not an in-toto statement", details=f"seen: {envelope.payload_type}"
        )
    try:
        content: dict[str, Any] = json.loads(envelope.payload)
        statement = Statement.copy_from_pb(json_format.ParseDict(content, statement_pb2.Statement()))
        statement.validate()
    except (ValueError, TypeError, json_format.ParseError) as error:
        raise VerificationError("this is signed, but not an in-toto statement", details=str(error)) from error
    if content["predicateType"] != PREDICATE:
        raise VerificationError("the statement is not a provenance", details=f"seen: {content['predicateType']}")
    return content


def _check_signature(envelope: Envelope, key: SSlibKey) -> None:
    """Whatever name the signer gave to the key: the name is not part of what is signed, nor is RSA's scheme."""
    schemes = (_RSA, key.scheme) if key.keytype == "rsa" else (key.scheme,)
    for keyid, scheme in product(envelope.signatures, schemes):
        try:
            envelope.verify([SSlibKey(keyid, key.keytype, scheme, key.keyval)], 1)
        except BadSignature:
            continue
        return
    raise VerificationError(
        "the signature is not of this key, or the statement was changed after it was signed",
        details=f"signatures in it: {len(envelope.signatures)}",
        resolution="do not trust the files; ask whoever signed for the right key",
    )
