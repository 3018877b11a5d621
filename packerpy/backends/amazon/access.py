"""How to reach Amazon, as declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import attrs

from packerpy.backends.amazon.specs.fields import as_json, hash_map, policy_problems, texts
from packerpy.declare import Secret
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, frozen_map

_ROLE = ("role_duration", "role_policy", "role_policy_arns", "role_tags", "role_transitive_tags")

RetryMode = Literal["standard", "adaptive", "legacy"]


@declaration(kw_only=True)
class Vault:
    """Keys that HashiCorp Vault makes for the build, by its secrets engine for AWS; needs ``packerpy[vault]``.

    They are made anew before they end. Vault takes them back at their end; the build does not do that before.

    :param role: the role's name in Vault.
    :param engine: where the engine is mounted.
    :param role_arn: of Amazon's role that the keys are for, where Vault's role allows several.
    :param ttl: seconds for which the keys are good, of roles whose keys are temporary; by default as Vault has it.
    :param address: Vault's URL; by default ``VAULT_ADDR``.
    :param token: from a variable, file or command, see :class:`Access`; by default ``VAULT_TOKEN``, or what
        ``vault login`` left.
    :param namespace: by default ``VAULT_NAMESPACE``.
    """

    role: str
    engine: str = "aws"
    role_arn: str | None = None
    ttl: int | None = None
    address: str | None = None
    token: Secret | None = None
    namespace: str | None = None

    def problems(self) -> Iterable[Problem]:
        """All that is wrong with it."""
        for name in ("role", "engine"):
            if not getattr(self, name).strip("/"):
                yield Problem(where=name, what="is missing", fix="give its name in Vault")
        if self.role_arn is not None and not self.role_arn.startswith("arn:"):
            yield Problem(where="role_arn", what="is not an ARN", seen=repr(self.role_arn), fix="write arn:aws:iam::…")
        if self.ttl is not None and self.ttl < 900:
            yield Problem(where="ttl", what="is less than Amazon allows", seen=str(self.ttl), fix="use 900 or more")
        yield from _url("address", self.address)
        yield from _by_value("token", self.token)


def _url(where: str, url: str | None) -> Iterable[Problem]:
    if url is not None and not url.startswith(("http://", "https://")):
        yield Problem(where=where, what="is not a URL", seen=url, fix="write https://…")


def _by_value(where: str, secret: Secret | None) -> Iterable[Problem]:
    if secret is not None and secret.value is not None:
        fix = "use Secret(env=…), Secret(file=…) or Secret(command=…), so that `packerpy clean` can read it too"
        yield Problem(where=where, what="must not be given by its value", fix=fix)


@declaration(kw_only=True)
class Access:
    """Credentials and connection.

    Without anything, the usual chain is asked: the environment's ``AWS_…``, the shared configuration with its profiles
    (SSO and assumed roles too), a container's or an instance's own role.

    :param profile: of the shared configuration files.
    :param access_key: with ``secret_key``: an access key. ``env=``, ``file=`` or ``command=`` say where it stands; its
        value itself cannot be given, because what a crash left could not be removed without it.
    :param secret_key: see ``access_key``.
    :param session_token: of temporary keys.
    :param vault: or keys from HashiCorp Vault.
    :param assume_role: ARN of a role to take on by these credentials.
    :param role_session: the session's name, seen in CloudTrail.
    :param role_duration: seconds for which its keys are good, 900 to 43200; they are made anew before they end. By
        default an hour.
    :param role_policy: JSON of a policy that leaves the session less than the role may.
    :param role_policy_arns: ARNs of such policies.
    :param role_tags: of the session; rules of access may go by them.
    :param role_transitive_tags: names of those that roles which the session takes on have too.
    :param external_id: asked for by some roles.
    :param mfa_serial: serial number or ARN of the MFA device that the role asks for.
    :param mfa_code: the device's current code, read when it is needed: ``Secret(command=("ykman", …))``. Without it,
        the code is asked for on the terminal.
    :param endpoint_url: of everything, in place of Amazon's: LocalStack, a private cloud, a test's server.
    :param retry_mode: of boto3: ``standard``, ``adaptive`` (slows down by itself when throttled) or ``legacy``.
    :param max_attempts: of a request that was throttled or failed for a moment; Packer's default of 10.
    :param connect_timeout: seconds.
    :param read_timeout: seconds.
    :param wait_timeout: seconds that an instance, image or snapshot may take to become what it should be; copies of
        large images take long. An hour.
    """

    profile: str | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    vault: Vault | None = None
    assume_role: str | None = None
    role_session: str = "packerpy"
    role_duration: int | None = None
    role_policy: str | None = attrs.field(default=None, converter=as_json)
    role_policy_arns: tuple[str, ...] = attrs.field(default=(), converter=texts)
    role_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    role_transitive_tags: tuple[str, ...] = attrs.field(default=(), converter=texts)
    external_id: str | None = None
    mfa_serial: str | None = None
    mfa_code: Secret | None = None
    endpoint_url: str | None = None
    retry_mode: RetryMode = "standard"
    max_attempts: int = 10
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    wait_timeout: float = 3600.0

    def problems(self) -> Iterable[Problem]:
        """All that is wrong with it."""
        yield from self._keys()
        yield from self._role()
        yield from _url("endpoint_url", self.endpoint_url)
        if self.retry_mode not in get_args(RetryMode):
            fix = f"use one of {', '.join(get_args(RetryMode))}"
            yield Problem(where="retry_mode", what="is not a way to retry", seen=repr(self.retry_mode), fix=fix)
        if self.max_attempts < 1:
            yield Problem(where="max_attempts", what="must be 1 or more", seen=str(self.max_attempts))
        for name in ("connect_timeout", "read_timeout", "wait_timeout"):
            if not getattr(self, name) > 0:
                yield Problem(where=name, what="must be more than 0 seconds", seen=str(getattr(self, name)))

    def _keys(self) -> Iterable[Problem]:
        if (self.access_key is None) != (self.secret_key is None):
            missing = "secret_key" if self.secret_key is None else "access_key"
            yield Problem(where=missing, what="is missing: a key has two halves", fix="give both, or neither")
        if self.access_key is not None and self.profile is not None:
            fix = "give one of them"
            yield Problem(where="profile", what="does not go with access_key", seen=self.profile, fix=fix)
        if self.session_token is not None and self.access_key is None:
            fix = "give access_key and secret_key too"
            yield Problem(where="session_token", what="belongs to an access_key", fix=fix)
        for name in ("access_key", "secret_key", "session_token", "mfa_code"):
            yield from _by_value(name, getattr(self, name))
        if self.vault is not None:
            yield from (problem.within("vault") for problem in self.vault.problems())
            for name in ("access_key", "profile"):
                if getattr(self, name) is not None:
                    yield Problem(where="vault", what=f"does not go with {name}", fix="give one of them")

    def _role(self) -> Iterable[Problem]:
        for name in (*_ROLE, "external_id", "mfa_serial"):
            if getattr(self, name) and self.assume_role is None:
                yield Problem(where=name, what="belongs to a role", fix="give assume_role too")
        if self.role_duration is not None and not 900 <= self.role_duration <= 43200:
            fix = "use 900 to 43200 seconds"
            yield Problem(where="role_duration", what="is out of bounds", seen=str(self.role_duration), fix=fix)
        yield from policy_problems("role_policy", self.role_policy)
        for number, arn in enumerate(self.role_policy_arns):
            if not arn.startswith("arn:"):
                yield Problem(
                    where=f"role_policy_arns[{number}]", what="is not an ARN", seen=arn, fix="write arn:aws:…"
                )
        for number, name in enumerate(self.role_transitive_tags):
            if name not in self.role_tags:
                fix = f"use one of {', '.join(self.role_tags) or 'them'}"
                where = f"role_transitive_tags[{number}]"
                yield Problem(where=where, what="is not one of role_tags", seen=repr(name), fix=fix)
        if self.mfa_code is not None and self.mfa_serial is None and self.profile is None:
            yield Problem(
                where="mfa_code", what="belongs to a device", fix="give mfa_serial, or a profile that names one"
            )
