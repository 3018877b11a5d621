"""By whose credentials Amazon is asked: keys, profiles, roles, devices, single sign-on."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from botocore.httpsession import URLLib3Session

from packerpy.backends.amazon import errors
from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.api import cloud, default_region, forget_clients
from packerpy.declare import Secret
from packerpy.errors import SourceError
from packerpy.testing import make_run
from tests.backends.amazon.cloud import Moto


def test_no_credentials(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor a profile: what to do is said; a profile that is not there likewise."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    run = make_run(tmp_path)
    with pytest.raises(errors.NoCredentials, match="aws sso login"):
        cloud(run, moto.access(), "us-east-1").call("ec2.DescribeRegions")
    with pytest.raises(errors.NoCredentials, match="nowhere"):
        cloud(run, moto.access(profile="nowhere"), "us-east-1").call("ec2.DescribeRegions")
    run.close(failed=False)


def test_role_with_mfa(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys from the environment take on a role with a device's code from a command; neither is told to anybody."""
    monkeypatch.setenv("MY_KEY", "AKIAOTHEROTHEROTHER0")
    monkeypatch.setenv("MY_SECRET", "other-secret-of-the-tests")
    access = moto.access(
        access_key=Secret(env="MY_KEY"),
        secret_key=Secret(env="MY_SECRET"),
        assume_role="arn:aws:iam::123456789012:role/build",
        mfa_serial="arn:aws:iam::123456789012:mfa/me",
        mfa_code=Secret(command=("echo", "123456")),
    )
    assert list(access.problems()) == []
    run = make_run(tmp_path)
    answer = cloud(run, access, "us-east-1").call("sts.GetCallerIdentity")
    assert answer["Arn"].startswith("arn:aws:sts::123456789012:assumed-role/build/packerpy")
    run.say("code 123456 for other-secret-of-the-tests")
    assert "123456 " not in str(run.events)
    assert "other-secret-of-the-tests" not in str(run.events)
    run.close(failed=False)


def test_a_session_that_may_less(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time, policies and tags of the session are asked for with the role."""
    sent: list[str] = []
    send = URLLib3Session.send

    def recorded(self: URLLib3Session, request: Any) -> Any:
        sent.append(unquote_plus(str(request.body)))
        return send(self, request)

    monkeypatch.setattr(URLLib3Session, "send", recorded)
    access = moto.access(
        assume_role="arn:aws:iam::123456789012:role/build",
        role_duration=900,
        role_policy={"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]},
        role_policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        role_tags={"team": "images"},
        role_transitive_tags=["team"],
    )
    assert list(access.problems()) == []
    run = make_run(tmp_path)
    cloud(run, access, "us-east-1").call("sts.GetCallerIdentity")
    (asked,) = [body for body in sent if "Action=AssumeRole" in body]
    for part in (
        "DurationSeconds=900",
        'Policy={"Statement": [{"Action": "ec2:*"',
        "PolicyArns.member.1.arn=arn:aws:iam::aws:policy/ReadOnlyAccess",
        "Tags.member.1.Key=team&Tags.member.1.Value=images",
        "TransitiveTagKeys.member.1=team",
    ):
        assert part in asked
    run.close(failed=False)


def test_the_user_is_asked_for_the_code(moto: Moto, tmp_path: Path) -> None:
    """Where none is declared, whoever shows the build asks for it, once; what was answered is told nobody."""
    run = make_run(tmp_path)
    asked: list[str] = []
    run.bus.ask_secret = lambda prompt: asked.append(prompt) or "654321"  # type: ignore[func-returns-value]
    device = "arn:aws:iam::123456789012:mfa/me"
    access = moto.access(assume_role="arn:aws:iam::123456789012:role/build", mfa_serial=device)
    for _ in range(2):
        cloud(run, access, "us-east-1").call("sts.GetCallerIdentity")
    assert len(asked) == 1
    assert device in asked[0]
    run.say("the code was 654321.")
    assert "654321" not in str(run.events)
    run.close(failed=False)


def test_a_profile_with_role_and_device(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile of the shared configuration takes on a role by another profile's keys; its device's code is asked for likewise."""
    config = tmp_path / "config"
    config.write_text(
        "[profile build]\nrole_arn = arn:aws:iam::123456789012:role/build\nsource_profile = me\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\nregion = eu-west-1\n"
        f"endpoint_url = {moto.url}\n"
        f"[profile me]\naws_access_key_id = AKIAPROFILEPROFILE00\naws_secret_access_key = of-the-profile\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.url)
    run = make_run(tmp_path)
    run.bus.ask_secret = lambda _: "654321"
    access = Access(profile="build")
    assert default_region("build") == "eu-west-1"
    answer = cloud(run, access, "eu-west-1").call("sts.GetCallerIdentity")
    assert ":assumed-role/build/" in answer["Arn"]
    run.close(failed=False)


def test_single_sign_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile with a session of `aws sso login`: its token gets keys of a role; without one, the advice is to log in."""
    config = tmp_path / "config"
    config.write_text(
        "[profile sso]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = build\nregion = us-east-1\n"
        "[sso-session work]\nsso_start_url = https://sso.invalid/start\nsso_region = us-east-1\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for where in ("botocore.credentials.SSOProvider", "botocore.tokens.SSOTokenProvider"):
        monkeypatch.setattr(f"{where}._SSO_TOKEN_CACHE_DIR", str(tmp_path))
    run = make_run(tmp_path)
    access = Access(profile="sso", max_attempts=1)
    with pytest.raises(errors.NoCredentials, match="aws sso login"):
        cloud(run, access, "us-east-1").call("sts.GetCallerIdentity")
    token = tmp_path / f"{hashlib.sha1(b'work', usedforsecurity=False).hexdigest()}.json"
    later = "2999-01-01T00:00:00Z"
    token.write_text(
        json.dumps({"accessToken": "token-of-sso", "expiresAt": later, "startUrl": "https://sso.invalid/start"})
    )
    keys = {"accessKeyId": "AKIASSO", "secretAccessKey": "of-sso", "sessionToken": "s", "expiration": 32503680000000}
    with answering({"roleCredentials": keys}) as (url, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", url)
        forget_clients()
        given = cloud(run, access, "us-east-1").credentials()
    assert given["AWS_ACCESS_KEY_ID"] == "AKIASSO"
    assert "role_name=build" in seen[0]
    run.say("of-sso")
    assert "of-sso" not in str(run.events)
    run.close(failed=False)


@contextmanager
def answering(answer: object) -> Iterator[tuple[str, list[str]]]:
    """An HTTP server that gives one answer to everything; and the paths that it was asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def test_a_mask_for_mfa_without_terminal(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal to ask on, the error says so in place of waiting for ever."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    run = make_run(tmp_path)
    access = moto.access(assume_role="arn:aws:iam::123456789012:role/build", mfa_serial="arn:aws:iam::1:mfa/me")
    with pytest.raises(SourceError, match="no terminal to ask on"):
        cloud(run, access, "us-east-1").call("sts.GetCallerIdentity")
    run.close(failed=False)
