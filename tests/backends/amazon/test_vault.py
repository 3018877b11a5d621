"""Keys from HashiCorp Vault, in whose place a small server answers as its API says."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

from packerpy.backends.amazon.access import Vault
from packerpy.backends.amazon.api import cloud, forget_clients
from packerpy.backends.amazon.errors import LibraryMissing, NoKeysFromVault
from packerpy.declare import Secret
from packerpy.testing import make_run
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults

TOKEN = "hvs.token-of-the-tests"


@attrs.define
class Server:
    """Lends keys, numbered from 1.

    :ivar seconds: for which it lends them.
    :ivar asked: requests so far: method, path, namespace and body.
    :ivar refuse: answer all with this status and error.
    """

    url: str = ""
    seconds: int = 3600
    asked: list[tuple[str, str, str | None, Any]] = attrs.field(factory=list)
    refuse: tuple[int, str] | None = None

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        """As Vault would."""
        if headers.get("X-Vault-Token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if self.refuse is not None:
            return self.refuse[0], {"errors": [self.refuse[1]]}
        self.asked.append((method, path, headers.get("X-Vault-Namespace"), body))
        engine, endpoint, role = path.removeprefix("/v1/").rsplit("/", 2)
        if engine not in ("aws", "teams/aws") or role != "build" or (endpoint == "sts") != (method == "POST"):
            return 404, {"errors": []}
        number = len(self.asked)
        token = f"token-{number}-of-vault" if endpoint == "sts" else None
        keys = {"access_key": f"AKIAVAULT{number}", "secret_key": f"secret-{number}-of-vault", "security_token": token}
        return 200, {"lease_id": f"{path}/{number}", "lease_duration": self.seconds, "renewable": False, "data": keys}


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """It, with its address and token in the environment, and no keys there."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = server.answer(self.command, self.path, self.headers, json.loads(text) if text else None)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{made.server_port}"
        monkeypatch.setenv("VAULT_ADDR", server.url)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        for name in ("VAULT_NAMESPACE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        yield server
        made.shutdown()


def test_keys_of_a_user(moto: Moto, vault: Server, faults: Faults, tmp_path: Path) -> None:
    """Amazon is asked with the keys that Vault has made, once; they are told nobody, nor is Vault's token."""
    signed: list[str] = []
    faults.look = lambda request: signed.append(str(request.headers["Authorization"]))
    run = make_run(tmp_path)
    at = cloud(run, moto.access(vault=Vault(role="build")), "us-east-1")
    for _ in range(2):
        at.call("ec2.DescribeRegions")
    assert vault.asked == [("GET", "/v1/aws/creds/build", None, None)]
    assert all("Credential=AKIAVAULT1/" in one for one in signed)
    assert faults.seen == ["sts.GetCallerIdentity", "ec2.DescribeRegions", "ec2.DescribeRegions"]
    run.say(f"secret-1-of-vault {TOKEN}")
    assert "secret-1-of-vault" not in str(run.events)
    run.close(failed=False)


def test_temporary_keys_of_a_role(moto: Moto, vault: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine, role, time, namespace and token are those that are declared."""
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    role = "arn:aws:iam::123456789012:role/build"
    asked = Vault(
        role="build", engine="teams/aws", role_arn=role, ttl=1800, namespace="ours", token=Secret(env="MY_TOKEN")
    )
    run = make_run(tmp_path)
    given = cloud(run, moto.access(vault=asked), "us-east-1").credentials()
    assert given["AWS_SESSION_TOKEN"] == "token-1-of-vault"
    body = {"role_arn": role, "ttl": "1800s"}
    assert vault.asked == [("POST", "/v1/teams/aws/sts/build", "ours", body)]
    run.say(f"token-1-of-vault {TOKEN}")
    assert "of-vault" not in str(run.events)
    assert TOKEN not in str(run.events)
    run.close(failed=False)


@pytest.mark.parametrize(("left", "number"), [(600, 1), (100, 2)])
def test_they_are_made_anew(
    moto: Moto, vault: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, number: int
) -> None:
    """When most of their time is over, and not at each request, as short as it may be."""
    vault.seconds = 900
    run = make_run(tmp_path)
    at = cloud(run, moto.access(vault=Vault(role="build", ttl=900)), "us-east-1")
    assert at.credentials()["AWS_ACCESS_KEY_ID"] == "AKIAVAULT1"
    later = datetime.now(UTC) + timedelta(seconds=900 - left)
    monkeypatch.setattr(_credentials(at), "_time_fetcher", lambda: later)
    assert at.credentials()["AWS_ACCESS_KEY_ID"] == f"AKIAVAULT{number}"
    run.close(failed=False)


def _credentials(at: Any) -> Any:
    """The library's own."""
    from packerpy.backends.amazon import api

    return api._clients.session(at.run, at.access).get_credentials()


def test_a_user_who_is_not_known_at_once(
    moto: Moto, vault: Server, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of a user who was just made are tried until Amazon knows them."""
    run = make_run(tmp_path)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            faults.refusals.clear()

    monkeypatch.setattr(run, "wait", wait)
    faults.refusals["sts.GetCallerIdentity"] = "InvalidClientTokenId"
    cloud(run, moto.access(vault=Vault(role="build")), "us-east-1").call("ec2.DescribeRegions")
    assert len(waits) == 3
    run.close(failed=False)


@pytest.mark.parametrize(
    ("vault_says", "role", "what"),
    [
        ((403, "permission denied"), "build", "vault login"),
        ((400, "role_arn is not allowed"), "build", "role_arn is not allowed"),
        ((503, "Vault is sealed"), "build", "unseal"),
        (None, "nobody", r"aws/creds/nobody(.|\n)*check role="),
    ],
)
def test_it_refuses(
    moto: Moto, vault: Server, tmp_path: Path, vault_says: tuple[int, str] | None, role: str, what: str
) -> None:
    """One error, with Vault's own words and what to do."""
    vault.refuse = vault_says
    run = make_run(tmp_path)
    with pytest.raises(NoKeysFromVault, match=what):
        cloud(run, moto.access(vault=Vault(role=role)), "us-east-1").call("ec2.DescribeRegions")
    run.close(failed=False)


def test_nobody_is_there(moto: Moto, vault: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer, no Vault behind the address, or no library: said likewise."""
    run = make_run(tmp_path)
    for address in ("http://127.0.0.1:9", moto.url):
        at = cloud(run, moto.access(vault=Vault(role="build", address=address)), "us-east-1")
        with pytest.raises(NoKeysFromVault, match=f"Vault at {address}"):
            at.call("ec2.DescribeRegions")
    monkeypatch.setitem(sys.modules, "hvac", None)
    forget_clients()
    with pytest.raises(LibraryMissing, match=r"packerpy\[vault\]"):
        cloud(run, moto.access(vault=Vault(role="build")), "us-east-1").call("ec2.DescribeRegions")
    run.close(failed=False)
