"""The one door to hvac: keys that HashiCorp Vault lends; every exception of the library comes out as one of ours."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from packerpy.backends.amazon.access import Vault
from packerpy.backends.amazon.errors import LibraryMissing, NoKeysFromVault
from packerpy.contracts import Run

_ADVICE = {
    "Unauthorized": "log in with `vault login`, or give token=",
    "Forbidden": "log in with `vault login`, or give the token of somebody whose policy allows this path",
    "InvalidPath": "check role= and engine=, and whether the engine is enabled (`vault secrets list`)",
    "VaultDown": "unseal Vault (`vault operator unseal`), or ask somebody who may",
    "InvalidRequest": "correct what Vault complains about: role_arn= and ttl= must be such as its role allows",
}
"""What to do, by the name of the library's exception."""

_UNREACHABLE = "check VAULT_ADDR or address=, VAULT_CACERT, and the network"


@attrs.frozen(kw_only=True)
class Lent:
    """Keys for a time.

    :ivar token: of temporary keys.
    :ivar until: their end.
    :ivar seconds: for which they are lent.
    """

    access_key: str
    secret_key: str = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)
    until: datetime
    seconds: float

    def metadata(self) -> dict[str, str | None]:
        """As botocore wants it."""
        return {
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "token": self.token,
            "expiry_time": self.until.isoformat(),
        }


def lend(run: Run, asked: Vault) -> Lent:
    """Have keys made.

    :raises NoKeysFromVault: Vault refuses, or does not answer.
    """
    hvac = _hvac()
    from requests.exceptions import RequestException

    client = hvac.Client(
        url=asked.address,
        token=None if asked.token is None else run.reveal(asked.token),
        namespace=asked.namespace or os.environ.get("VAULT_NAMESPACE"),
    )
    endpoint = "sts" if asked.role_arn or asked.ttl else "creds"
    path = f"{asked.engine.strip('/')}/{endpoint}/{asked.role}"
    try:
        answer = client.secrets.aws.generate_credentials(
            name=asked.role,
            role_arn=asked.role_arn,
            ttl=None if asked.ttl is None else f"{asked.ttl}s",
            endpoint=endpoint,
            mount_point=asked.engine.strip("/"),
        )
        return _lent(run, answer)
    except hvac.exceptions.VaultError as error:
        advice = _ADVICE.get(type(error).__name__, _UNREACHABLE)
        raise NoKeysFromVault(path, client.url, str(error), advice) from error
    except (RequestException, KeyError, TypeError, ValueError) as error:
        raise NoKeysFromVault(path, client.url, f"{type(error).__name__}: {error}", _UNREACHABLE) from error


def _lent(run: Run, answer: Any) -> Lent:
    keys, seconds = answer["data"], float(answer["lease_duration"])
    for secret in filter(None, (keys["secret_key"], keys.get("security_token"))):
        run.hide(secret)
    return Lent(
        access_key=keys["access_key"],
        secret_key=keys["secret_key"],
        token=keys.get("security_token") or None,
        until=datetime.now(UTC) + timedelta(seconds=seconds),
        seconds=seconds,
    )


def _hvac() -> Any:
    try:
        import hvac
    except ImportError as error:
        raise LibraryMissing("hvac", "vault") from error
    return hvac
