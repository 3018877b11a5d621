"""Every mistake in a communicator's declaration is told with its place; all of them at once."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.none import NoCommunicator
from packerpy.kit.ssh_keys import make_key_pair

SAMPLES = Path(__file__).parent / "samples"
CERTIFICATE = SAMPLES / "key-cert.pub"
MADE = tempfile.TemporaryDirectory(prefix="packerpy-test-")
KEY = make_key_pair(Path(MADE.name)).private
LOCKED = KEY.with_name("locked")
subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", LOCKED], check=True)

LOGIN: dict[str, Any] = {"host": "gate", "user": "me", "agent": True}
WINDOWS: dict[str, Any] = {"user": "me", "password": "x"}

CASES: list[tuple[Any, str, str]] = [
    # Packer: "ssh_username must be specified", and what else it refuses for SSH
    (pp.SSH(user=""), "user", "login name is empty"),
    (pp.SSH(host=""), "host", "address is empty"),
    (pp.SSH(port=0), "port", "not a TCP port"),
    (pp.SSH(port=70000), "port", "not a TCP port"),
    (pp.SSH(key_files="/nowhere/key"), "key_files[0]", "no such file"),
    (pp.SSH(key_files=__file__), "key_files[0]", "not a private SSH key"),
    (pp.SSH(key_files="/"), "key_files[0]", "cannot be read"),
    (pp.SSH(key_files=SAMPLES / "key"), "key_files[0]", "not a private SSH key"),
    (pp.SSH(key_files=LOCKED), "key_files[0]", "protected by a passphrase"),
    (pp.SSH(key_files=[KEY, LOCKED], key_passphrase="guess"), "key_files[1]", "protected by another passphrase"),
    (pp.SSH(key_passphrase="open sesame"), "key_passphrase", "none is declared"),
    (pp.SSH(answers={" ": "x"}), "answers[0]", "fits every question"),
    (pp.SSH(key_files=KEY, certificate=__file__), "certificate", "not an SSH certificate"),
    (pp.SSH(certificate=CERTIFICATE), "key_files", "worth nothing without its private key"),
    (pp.SSH(key_files=KEY, certificate="/nowhere/cert"), "certificate", "no such file"),
    (pp.SSH(made_key="dsa"), "made_key", "no type of key"),  # type: ignore[arg-type]
    (pp.SSH(file_transfer="ftp"), "file_transfer", "no way to move files"),  # type: ignore[arg-type]
    (pp.SSH(local_tunnels="8080"), "local_tunnels[0]", "not of the form PORT:HOST:PORT"),
    (pp.SSH(local_tunnels="8080:host"), "local_tunnels[0]", "not of the form"),
    (pp.SSH(local_tunnels="x:host:80"), "local_tunnels[0]", "not of the form"),
    (pp.SSH(local_tunnels="8080::80"), "local_tunnels[0]", "not of the form"),
    (pp.SSH(remote_tunnels="0:host:80"), "remote_tunnels[0]", "from 1 to 65535"),
    (pp.SSH(remote_tunnels="80:host:65536"), "remote_tunnels[0]", "from 1 to 65535"),
    (pp.SSH(local_tunnels=["8080:a:80", "8080:b:80"]), "local_tunnels[1]", "another tunnel listens"),
    (pp.SSH(ciphers="rot13"), "ciphers[0]", "not known to the SSH library"),
    (pp.SSH(key_exchanges=["curve25519-sha256@libssh.org", "x"]), "key_exchanges[1]", "not known"),
    (pp.SSH(timeout=0), "timeout", "more than 0 seconds"),
    (pp.SSH(keep_alive=-1), "keep_alive", "not be negative"),
    (pp.SSH(read_write_timeout=-1), "read_write_timeout", "not be negative"),
    (pp.SSH(read_write_timeout=3), "keep_alive", "shorter intervals"),
    (pp.SSH(pause_before_connecting=-1), "pause_before_connecting", "not be negative"),
    (pp.SSH(handshake_attempts=0), "handshake_attempts", "1 or more"),
    (pp.SSH(host_keys="nonsense"), "host_keys[0]", "not a public key"),
    (pp.SSH(host_key_policy="never"), "host_key_policy", "no such policy"),  # type: ignore[arg-type]
    (pp.SSH(host_key_policy="insecure", host_keys="ssh-ed25519 AAAA"), "host_key_policy", "takes any host key"),
    (pp.SSH(host_key_policy="known-hosts", known_hosts="/nowhere/hosts"), "known_hosts", "no such file"),
    # bastions: an address, a user, and password, key or agent
    (pp.SSH(bastions=pp.Bastion(user="me", agent=True)), "bastions[0].host", "needs an address"),
    (pp.SSH(bastions=pp.Bastion(host="gate", agent=True)), "bastions[0].user", "needs a login name"),
    (pp.SSH(bastions=pp.Bastion(host="gate", user="me")), "bastions[0]", "nothing to log in to the bastion with"),
    (pp.SSH(bastions=[pp.Bastion(**LOGIN), pp.Bastion(**LOGIN, port=0)]), "bastions[1].port", "not a TCP port"),
    (pp.SSH(bastions=pp.Bastion(**LOGIN, key_files="/nowhere")), "bastions[0].key_files[0]", "no such file"),
    (
        pp.SSH(bastions=pp.Bastion(host="gate", user="me", key_files=LOCKED)),
        "bastions[0].key_files[0]",
        "protected by a",
    ),
    (pp.SSH(bastions=pp.Bastion(**LOGIN, certificate=CERTIFICATE)), "bastions[0].key_files", "worth nothing"),
    # proxies
    (pp.SSH(proxy=pp.Proxy(host="")), "proxy.host", "address is empty"),
    (pp.SSH(proxy=pp.Proxy(host="p", port=-1)), "proxy.port", "not a TCP port"),
    (pp.SSH(proxy=pp.Proxy(host="p", protocol="gopher")), "proxy.protocol", "not a kind"),  # type: ignore[arg-type]
    (pp.SSH(proxy=pp.Proxy(host="p", user="me")), "proxy.password", "a user and a password"),
    (pp.SSH(proxy=pp.Proxy(host="p", password="x")), "proxy.user", "a user and a password"),
    # Packer: "winrm_username must be specified", and what else can be wrong there
    (pp.WinRM(password="x"), "user", "needs a user and a password"),
    (pp.WinRM(user="me"), "password", "needs a user and a password"),
    (pp.WinRM(**WINDOWS, auth="kerberos5"), "auth", "no way to log in"),
    (pp.WinRM(**WINDOWS, host=""), "host", "address is empty"),
    (pp.WinRM(**WINDOWS, port=0), "port", "not a TCP port"),
    (pp.WinRM(**WINDOWS, shell="bash"), "shell", "no shell of Windows"),
    (pp.WinRM(**WINDOWS, timeout=0), "timeout", "more than 0 seconds"),
    (pp.WinRM(**WINDOWS, login_attempts=0), "login_attempts", "1 or more"),
    (pp.WinRM(**WINDOWS, pause_before_connecting=-1), "pause_before_connecting", "not be negative"),
    (pp.WinRM(**WINDOWS, insecure=True), "insecure", "means nothing without TLS"),
    (pp.WinRM(**WINDOWS, ca_file=__file__), "ca_file", "means nothing without TLS"),
    (pp.WinRM(**WINDOWS, tls=True, ca_file="/nowhere/ca"), "ca_file", "no such file"),
    (pp.WinRM(**WINDOWS, tls=True, ca_file=__file__, insecure=True), "insecure", "which are right"),
    (pp.WinRM(auth="certificate", tls=True, certificate=__file__), "certificate_key", "a certificate and its key"),
    (pp.WinRM(auth="certificate", tls=True, certificate_key=__file__), "certificate", "a certificate and its key"),
    (pp.WinRM(auth="certificate", certificate=__file__, certificate_key=__file__), "tls", "over TLS only"),
    # the agent
    (pp.GuestAgent(user="-x"), "user", "not a user name"),
    (pp.GuestAgent(timeout=0), "timeout", "more than 0 seconds"),
    (pp.GuestAgent(network=-1), "network", "not be negative"),
    (pp.GuestAgent(uploads=pp.SSH(port=0)), "uploads.port", "not a TCP port"),
]


@pytest.mark.parametrize(
    ("spec", "where", "what"), CASES, ids=[f"{number}-{case[1]}" for number, case in enumerate(CASES)]
)
def test_a_mistake(spec: Any, where: str, what: str) -> None:
    """It is the only problem, at that place, in words that say what is wrong; nothing secret is shown."""
    (problem,) = spec.check()
    assert problem.where == where
    assert what in str(problem)


GOOD: list[Any] = [
    pp.SSH(),
    pp.SSH(key_files=[str(KEY), KEY], certificate=CERTIFICATE, forward_agent=True, agent=True),
    pp.SSH(key_files=[LOCKED, KEY], key_passphrase="open sesame", answers={"code": pp.Secret(env="CODE")}),
    pp.SSH(key_files=LOCKED, key_passphrase=pp.Secret(env="P")),
    pp.SSH(
        bastions=[pp.Bastion(host="a", user="b", interactive=True), pp.Bastion(host="c", user="d", answers={"e": "f"})]
    ),
    pp.SSH(proxy=pp.Proxy(host="p"), bastions=[pp.Bastion(**LOGIN), pp.Bastion(**LOGIN, password=pp.Secret(env="P"))]),
    pp.SSH(local_tunnels="8080:[::1]:80", remote_tunnels=["8080:host:80", "8081:host:80"]),
    pp.SSH(ciphers="aes256-ctr", key_exchanges="ecdh-sha2-nistp384", read_write_timeout=30, file_transfer="scp"),
    pp.WinRM(**WINDOWS),
    pp.WinRM(auth="certificate", tls=True, certificate=__file__, certificate_key=__file__),
    pp.GuestAgent(uploads=None),
    pp.Local(host=True),
    NoCommunicator(),
]


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: spec.kind)
def test_no_mistake(spec: Any) -> None:
    """Good declarations have no problems, can be hashed, and show no password."""
    assert list(spec.check()) == []
    assert hash(spec) == hash(spec)
    assert "password='" not in repr(spec)
    assert "sesame" not in repr(spec)


def test_all_at_once() -> None:
    """One check tells every mistake."""
    found = pp.SSH(user="", port=0, timeout=0, proxy=pp.Proxy(host=""), bastions=pp.Bastion()).check()
    assert {problem.where for problem in found} == {
        "user",
        "port",
        "timeout",
        "proxy.host",
        "bastions[0].host",
        "bastions[0].user",
        "bastions[0]",
    }
