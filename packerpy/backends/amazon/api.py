"""The one door to boto3: clients, calls, waiting; every exception of the library comes out as one of ours."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.amazon import vault
from packerpy.backends.amazon.access import Access, Vault
from packerpy.backends.amazon.errors import LibraryMissing, NoCredentials, error_for
from packerpy.backends.amazon.waiting import Seen, until
from packerpy.contracts import Run

_CONNECTIONS = 64
"""Kept open by a client; one for each thread that uploads blocks."""

_ADVISORY = ("service-quotas",)
"""Services that a build can do without, and does not wait for: a private network has no way to them."""

_HURRY = 3.0
"""Seconds for such a service, twice."""

_LOOKS, _PAUSE = 20, 1.5
"""How often keys of a user who was just made are tried, and the seconds between."""

Answer = dict[str, Any]


@attrs.frozen
class Cloud:
    """Amazon in one region, for one run."""

    run: Run
    access: Access
    region: str

    def call(self, operation: str, **parameters: Any) -> Answer:
        """One request, repeated by the library while it is throttled: ``call("ec2.RunInstances", ImageId=…)``.

        :raises AmazonError: it failed for good.
        """
        service, _, name = operation.partition(".")
        return dict(_translated(operation, lambda: self._method(service, name)(**parameters)))

    def known_region(self) -> bool:
        """Whether the library knows the region's endpoints; it may be older than the region."""
        return self.region in _known_regions()

    def endpoint(self, service: str) -> str:
        """The URL of a service."""
        return str(self._client(service).meta.endpoint_url)

    def pages(self, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        """All items under ``key`` of a request that answers page by page."""
        service, _, name = operation.partition(".")
        client = self._client(service)
        snake = _snake(name)
        if not client.can_paginate(snake):
            yield from self.call(operation, **parameters).get(key) or ()
            return
        pages = iter(client.get_paginator(snake).paginate(**parameters))
        while (page := _translated(operation, lambda: next(pages, None))) is not None:
            yield from page.get(key) or ()

    def upload(self, source: Path, bucket: str, key: str, options: Mapping[str, str]) -> None:
        """A file into a bucket, in parallel parts when it is large; a cancel ends it between two parts.

        :raises AmazonError: it failed for good; a part that is there already is taken away again by the library.
        """
        total, done, lock = source.stat().st_size, 0, threading.Lock()

        def sent(count: int) -> None:
            nonlocal done
            self.run.cancellation.check()
            with lock:
                done += count

        client = self._client("s3")
        call = lambda: client.upload_file(str(source), bucket, key, ExtraArgs=dict(options), Callback=sent)  # noqa: E731
        _translated("s3.PutObject", call)
        self.run.progress(done, total)

    def credentials(self) -> dict[str, str]:
        """The credentials as the environment has them, for a program that needs them itself; hidden from every output.

        :raises NoCredentials: there are none.
        """
        found = _translated("credentials", lambda: _clients.session(self.run, self.access).get_credentials())
        if found is None:
            raise NoCredentials("credentials", "NoCredentialsError", "there are no credentials to hand on")
        frozen = _translated("credentials", found.get_frozen_credentials)
        for secret in filter(None, (frozen.secret_key, frozen.token)):
            self.run.hide(secret)
        told = {
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token,
        }
        return {name: str(value) for name, value in told.items() if value}

    def wait(
        self,
        waiter: str,
        what: str,
        *,
        wanted: str,
        look: Callable[[Answer], tuple[str, str, float | None]],
        **parameters: Any,
    ) -> None:
        """Wait until a thing is what one of boto3's waiters waits for; a cancel ends it at once.

        The waiter tells which request to make, what its answers mean, and how long a pause may be.

        :param waiter: boto3's name: ``instance_running``.
        :param what: for people.
        :param wanted: for people.
        :param look: of an answer: the state, Amazon's reason, and how far it is (percent).
        :raises NotBecome: it went into a state from which there is no way there.
        :raises NotBecomeInTime: it did not within ``Access.wait_timeout``.
        """
        service = "ec2"
        config = self._client(service).get_waiter(waiter).config

        def ask() -> Seen:
            answer, verdict = self._look(f"{service}.{config.operation}", config.acceptors, parameters)
            state, reason, percent = look(answer) if answer else ("", "", None)
            return Seen(verdict or "", state, reason, percent)

        until(self.run, what, ask, wanted=wanted, longest=float(config.delay), limit=self.access.wait_timeout)

    def _look(self, operation: str, acceptors: Any, parameters: Mapping[str, Any]) -> tuple[Answer, str | None]:
        """Ask once; the waiter's verdict of the answer is ``success``, ``failure``, ``retry`` or ``None``."""
        from botocore.exceptions import ClientError

        service, _, name = operation.partition(".")
        error: ClientError | None = None

        def ask() -> Answer:
            nonlocal error
            try:
                return dict(self._method(service, name)(**parameters))
            except ClientError as caught:
                error = caught
                return dict(caught.response)

        answer = _translated(operation, ask)
        verdict = next((a.state for a in acceptors if a.matcher_func(answer)), None)
        if error is not None and verdict is None:
            raise _ours(operation, error) from error
        return ({} if error is not None else answer), verdict

    def _method(self, service: str, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._client(service), _snake(name))
        return method

    def _client(self, service: str) -> Any:
        return _translated(service, lambda: _clients.get(self.run, self.access, self.region, service))


@cache
def _known_regions() -> frozenset[str]:
    """All that the library's own files tell; reading them takes a fifth of a second."""
    session = _boto3().session.Session()
    listed = (session.get_available_regions("ec2", partition) for partition in session.get_available_partitions())
    return frozenset(region for regions in listed for region in regions)


def cloud(run: Run, access: Access, region: str) -> Cloud:
    """Amazon in one region."""
    return Cloud(run, access, region)


def default_region(profile: str | None) -> str | None:
    """The region that environment or profile name."""
    return _translated("region", lambda: _boto3().session.Session(profile_name=profile).region_name)  # type: ignore[no-any-return]


class _Clients:
    """Clients are dear to make (0.1 s) and safe to share between threads; one each for what they depend on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[object, Any] = {}
        self._made: dict[object, Any] = {}

    def get(self, run: Run, access: Access, region: str, service: str) -> Any:
        """A client; an environment that has changed makes a new one."""
        who = _who(access)
        with self._lock:
            if (client := self._made.get((who, region, service))) is not None:
                return client
            client = self._session(run, access, who).client(
                service, region_name=region, endpoint_url=access.endpoint_url, config=_config(access, service)
            )
            self._made[who, region, service] = client
            return client

    def session(self, run: Run, access: Access) -> Any:
        """What clients are made of."""
        with self._lock:
            return self._session(run, access, _who(access))

    def _session(self, run: Run, access: Access, who: object) -> Any:
        if who not in self._sessions:
            session = new_session(run, access)
            if access.vault is not None:
                _once_accepted(run, access, session)
            self._sessions[who] = session
        return self._sessions[who]

    def forget(self) -> None:
        """Make all anew."""
        with self._lock:
            self._sessions.clear()
            self._made.clear()


def _who(access: Access) -> object:
    return access, tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("AWS_")))


_clients = _Clients()


def forget_clients() -> None:
    """Credentials and connections are looked for anew; for tests, and for programs that run long."""
    _clients.forget()


def new_session(run: Run, access: Access) -> Any:
    """The library's session: the declared keys or profile, or the usual chain, and perhaps a role on top."""

    def read(secret: Any) -> str | None:
        return None if secret is None else run.reveal(secret)

    if access.vault is not None:
        session = _by_vault(run, access.vault)
        return session if access.assume_role is None else _in_role(run, access, session)
    session = _boto3().session.Session(
        aws_access_key_id=read(access.access_key),
        aws_secret_access_key=read(access.secret_key),
        aws_session_token=read(access.session_token),
        profile_name=access.profile,
    )
    _ask_as_declared(run, access, session)
    return session if access.assume_role is None else _in_role(run, access, session)


def _by_vault(run: Run, asked: Vault) -> Any:
    """With keys that Vault makes, and makes anew when most of their time is over."""
    from botocore.credentials import RefreshableCredentials

    lent = vault.lend(run, asked)
    session = _boto3().session.Session()
    session._session._credentials = RefreshableCredentials.create_from_metadata(  # noqa: SLF001  boto3 has no public way
        lent.metadata(),
        refresh_using=lambda: vault.lend(run, asked).metadata(),
        method="vault",
        advisory_timeout=int(min(900.0, lent.seconds / 4)),
        mandatory_timeout=int(min(600.0, lent.seconds / 8)),
    )
    return session


def _once_accepted(run: Run, access: Access, session: Any) -> None:
    """Wait until Amazon knows keys that were just made; whatever else is wrong is told by the next request."""
    from botocore.exceptions import ClientError

    sts = session.client(
        "sts", region_name="us-east-1", endpoint_url=access.endpoint_url, config=_config(access, "sts")
    )
    for _ in range(_LOOKS):
        try:
            sts.get_caller_identity()
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidClientTokenId":
                return
        else:
            return
        run.wait(_PAUSE)


def _ask_as_declared(run: Run, access: Access, session: Any) -> None:
    """A profile may name a role and a device; the code it needs comes from where ``mfa_code`` says."""
    resolver = session._session.get_component("credential_provider")  # noqa: SLF001  boto3 has no public way
    for provider in resolver.providers:
        if provider.METHOD == "assume-role":
            provider._prompter = lambda prompt: _mfa_code(run, access, prompt)  # noqa: SLF001  likewise


def _in_role(run: Run, access: Access, session: Any) -> Any:
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    extra = {
        "RoleSessionName": access.role_session,
        "ExternalId": access.external_id,
        "SerialNumber": access.mfa_serial,
        "DurationSeconds": access.role_duration,
        "Policy": access.role_policy,
        "PolicyArns": [{"arn": arn} for arn in access.role_policy_arns] or None,
        "Tags": [{"Key": key, "Value": value} for key, value in access.role_tags.items()] or None,
        "TransitiveTagKeys": list(access.role_transitive_tags) or None,
    }

    def client(service: str, **options: Any) -> Any:
        options["config"] = _config(access, service)
        return session.client(service, **{**options, "endpoint_url": access.endpoint_url})

    source = session.get_credentials()
    if source is None:
        raise NoCredentials("sts.AssumeRole", "NoCredentialsError", "no credentials to take on the role with")
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=client,
        source_credentials=source,
        role_arn=access.assume_role,
        extra_args={name: value for name, value in extra.items() if value is not None},
        mfa_prompter=lambda prompt: _mfa_code(run, access, prompt),
    )
    taken = _boto3().session.Session()
    taken._session._credentials = DeferredRefreshableCredentials(  # noqa: SLF001  boto3 has no public way
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return taken


def _mfa_code(run: Run, access: Access, prompt: str) -> str:
    if access.mfa_code is not None:
        return run.reveal(access.mfa_code)
    code = run.ask_secret(prompt)
    if code is None:
        raise NoCredentials(
            "sts.AssumeRole", "MultiFactorAuthentication", "an MFA code is needed, and there is no terminal to ask on"
        )
    return code


def _config(access: Access, service: str) -> Any:
    from botocore.config import Config

    advisory = service in _ADVISORY
    return Config(
        retries={"mode": access.retry_mode, "total_max_attempts": 2 if advisory else access.max_attempts},
        connect_timeout=min(access.connect_timeout, _HURRY) if advisory else access.connect_timeout,
        read_timeout=min(access.read_timeout, _HURRY) if advisory else access.read_timeout,
        max_pool_connections=_CONNECTIONS,
        user_agent_appid="packerpy",
        s3={"addressing_style": "path"} if access.endpoint_url else None,
    )


def _boto3() -> Any:
    try:
        import boto3.session
    except ImportError as error:
        raise LibraryMissing from error
    return boto3


def _translated(operation: str, call: Callable[[], Any]) -> Any:
    """What ``call`` answers; the library's exceptions come out as ours."""
    _boto3()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return call()
    except (BotoCoreError, ClientError, Boto3Error, ResponseParserError) as error:
        raise _ours(operation, error) from error


def _ours(operation: str, error: Exception) -> Exception:
    response = getattr(error, "response", None)
    if response is None and isinstance(error.__context__, Exception):  # uploads wrap what happened in another
        response = getattr(error.__context__, "response", None)
    if isinstance(response, Mapping) and "Error" in response:
        told = response["Error"]
        return error_for(operation, str(told.get("Code", "")), str(told.get("Message", "")))
    names = [cls.__name__ for cls in type(error).__mro__ if cls.__module__.startswith(("boto", "s3transfer"))]
    known = next(
        (name for name in names if error_for(operation, name, "").__class__.__name__ != "AmazonError"), names[0]
    )
    return error_for(operation, known, str(error))


def _snake(name: str) -> str:
    from botocore import xform_name

    return str(xform_name(name))
