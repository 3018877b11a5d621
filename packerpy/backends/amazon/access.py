"""How to reach Amazon, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import attrs

from packerpy.declare import Secret
from packerpy.values import Problem

RetryMode = Literal["standard", "adaptive", "legacy"]


@attrs.frozen(kw_only=True)
class Access:
    """Credentials and connection.

    Without anything, the usual chain is asked: the environment's ``AWS_…``, the shared configuration with its profiles
    (SSO and assumed roles too), a container's or an instance's own role.

    :param profile: of the shared configuration files.
    :param access_key: with ``secret_key``: an access key. ``env=``, ``file=`` or ``command=`` say where it stands; its
        value itself cannot be given, because what a crash left could not be removed without it.
    :param secret_key: see ``access_key``.
    :param session_token: of temporary keys.
    :param assume_role: ARN of a role to take on by these credentials.
    :param role_session: the session's name, seen in CloudTrail.
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
    assume_role: str | None = None
    role_session: str = "packerpy"
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
        if self.endpoint_url is not None and not self.endpoint_url.startswith(("http://", "https://")):
            yield Problem(where="endpoint_url", what="is not a URL", seen=self.endpoint_url, fix="write https://…")
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
            secret = getattr(self, name)
            if secret is not None and secret.value is not None:
                fix = "use Secret(env=…), Secret(file=…) or Secret(command=…), so that `packerpy clean` can read it too"
                yield Problem(where=name, what="must not be given by its value", fix=fix)

    def _role(self) -> Iterable[Problem]:
        for name in ("external_id", "mfa_serial"):
            if getattr(self, name) is not None and self.assume_role is None:
                yield Problem(where=name, what="belongs to a role", fix="give assume_role too")
        if self.mfa_code is not None and self.mfa_serial is None and self.profile is None:
            yield Problem(
                where="mfa_code", what="belongs to a device", fix="give mfa_serial, or a profile that names one"
            )
