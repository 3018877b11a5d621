"""Every way to log in, and whom to believe."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from packerpy.communicators.ssh import SSH, Bastion, connector
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.declare import Secret
from packerpy.errors import CommunicatorError
from packerpy.kit.process import spawn, stop
from packerpy.kit.ssh_keys import KeyKind, KeyPair, make_key_pair
from packerpy.testing import TestRun
from packerpy.values import Command, Machine
from tests.communicators.ssh.password_server import PASSWORD
from tests.communicators.ssh.sshd_server import Sshd


def connect(run: TestRun, spec: SSH, machine: Machine) -> SSHChannel:
    """A channel that is closed with the test's server."""
    channel = spec.load().connect(run, machine)
    assert isinstance(channel, SSHChannel)
    return channel


def keygen(*arguments: object) -> None:
    """Run ssh-keygen."""
    subprocess.run(["ssh-keygen", "-q", *map(str, arguments)], check=True, capture_output=True)


PASSPHRASE = "ópen sesame"


@pytest.mark.parametrize("how", [("-t", "ed25519"), ("-t", "rsa", "-b", "2048", "-m", "PEM")], ids=["new", "old"])
def test_a_key_with_a_passphrase(
    sshd: Sshd, run: TestRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    """Beside one without; in both formats. A wrong one is told before anything is sent, and none is shown."""
    locked = tmp_path / "locked"
    keygen(*how, "-N", PASSPHRASE, "-f", locked)
    sshd.authorized.write_text(locked.with_suffix(".pub").read_text())
    sshd.start()
    machine = sshd.machine(key_file=None)
    monkeypatch.setenv("PHRASE", PASSPHRASE)
    spec = SSH(key_files=[sshd.user_key.private, locked], key_passphrase=Secret(env="PHRASE"), timeout=20)
    connect(run, spec, machine).close()
    run.say(f"it is {PASSPHRASE}")
    assert PASSPHRASE not in str(run.events)
    with pytest.raises(CommunicatorError, match="protected by another passphrase"):
        connect(run, SSH(key_files=locked, key_passphrase="guess", timeout=20), machine)
    with pytest.raises(CommunicatorError, match="protected by a passphrase"):
        connect(run, SSH(key_files=locked, timeout=20), machine)


@pytest.mark.root
def test_a_password(passwords: Sshd, run: TestRun) -> None:
    """The right one logs in, as the user that was declared; a wrong one is refused, and neither is shown."""
    machine = passwords.machine(key_file=None)
    channel = connect(run, SSH(user="tester", password=PASSWORD, timeout=20), machine)
    assert channel.run(Command(line="id -u")).stdout == "54321\n"
    channel.close()
    with pytest.raises(CommunicatorError, match="does not let user 'tester' in") as caught:
        connect(run, SSH(user="tester", password="wrong-wrong", timeout=20, handshake_attempts=1), machine)
    assert "wrong-wrong" not in str(caught.value)
    run.say(f"it is {PASSWORD}")
    assert PASSWORD not in str(run.events)


@pytest.mark.root
def test_a_secret_password_after_a_key(passwords: Sshd, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is refused does not keep the password from being tried."""
    monkeypatch.setenv("A_PASSWORD", PASSWORD)
    spec = SSH(user="tester", password=Secret(env="A_PASSWORD"), timeout=20)
    connect(run, spec, passwords.machine()).close()


@pytest.fixture
def asking(passwords: Sshd) -> Sshd:
    """A server that wants a key and then the answer to a question."""
    passwords.stop()
    passwords.extra = (
        "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive\n"
        # The user may not look into the test's folder.
        f"AuthorizedKeysCommand /bin/cat {passwords.authorized}\nAuthorizedKeysCommandUser root"
    )
    passwords.start()
    return passwords


@pytest.mark.root
@pytest.mark.parametrize("passwords", ["dialogue"], indirect=True)
def test_a_key_and_then_answers(asking: Sshd, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are asked for; the answer is found by a part of the question. The key alone is not enough."""
    monkeypatch.setenv("A_PASSWORD", PASSWORD)
    spec = SSH(user="tester", answers={"pass": Secret(env="A_PASSWORD")}, timeout=20, handshake_attempts=1)
    channel = connect(run, spec, asking.machine())
    assert channel.run(Command(line="id -u")).stdout == "54321\n"
    channel.close()
    with pytest.raises(CommunicatorError, match="takes only: keyboard-interactive"):
        connect(run, SSH(user="tester", timeout=20, handshake_attempts=1), asking.machine())
    with pytest.raises(CommunicatorError, match="asked, and not answered: 'Password:'"):
        connect(run, attrs.evolve(spec, answers={"code": "1234"}), asking.machine())
    assert "1234" not in str(run.events)


@pytest.mark.root
@pytest.mark.parametrize("passwords", ["dialogue"], indirect=True)
def test_a_person_is_asked(asking: Sshd, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal, without an echo; what they type is masked. Where there is none, that is an error."""
    spec = SSH(user="tester", interactive=True, timeout=20, handshake_attempts=1)
    with pytest.raises(CommunicatorError, match="asks whoever sits at the terminal, and there is none"):
        connect(run, spec, asking.machine())
    typed: list[str] = []
    monkeypatch.setattr(connector, "at_terminal", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda question: typed.append(question) or PASSWORD)
    connect(run, spec, asking.machine()).close()
    assert typed == ["Password: "]
    run.say(f"it is {PASSWORD}")
    assert PASSWORD not in str(run.events)


@pytest.mark.root
@pytest.mark.parametrize("passwords", ["dialogue"], indirect=True)
def test_a_bastion_that_asks(asking: Sshd, run: TestRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged in to by its own key and answers, or by a person's; the machine by its own key."""
    behind = Sshd(tmp_path / "behind")
    behind.start()
    monkeypatch.setattr(connector, "at_terminal", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda _question: PASSWORD)
    asks = Bastion(
        host=asking.address,
        port=asking.port,
        user="tester",
        key_files=asking.user_key.private,
        host_keys=asking.host_key.public,
    )
    try:
        for bastion in (attrs.evolve(asks, answers={"password": PASSWORD}), attrs.evolve(asks, interactive=True)):
            connect(run, SSH(bastions=bastion, timeout=20), behind.machine()).close()
    finally:
        behind.stop()
    assert asking.said().count("Accepted keyboard-interactive/pam for tester") == 2


@pytest.fixture
def agent(tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running SSH agent that holds the user's key."""
    path = tmp_path / "agent"
    program = spawn(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.readline()  # it tells its socket when that is there
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    subprocess.run(["ssh-add", "-q", sshd.user_key.private], check=True, capture_output=True)
    yield path
    stop(program)
    program.stdout.close()


def test_an_agent(sshd: Sshd, run: TestRun, agent: Path) -> None:
    """Its key logs in, and commands see the agent only where it is forwarded."""
    sshd.start()
    machine = sshd.machine(key_file=None)
    channel = connect(run, SSH(agent=True, timeout=20), machine)
    assert channel.run(Command(line="echo x$SSH_AUTH_SOCK")).stdout == "x\n"
    channel.close()
    channel = connect(run, SSH(agent=True, forward_agent=True, timeout=20), machine)
    for _ in range(2):
        listed = channel.run(Command(line="ssh-add -l", timeout=20))
        assert sshd.user_key.fingerprint in listed.stdout
    channel.close()


def test_an_agent_at_a_bastion(sshd: Sshd, run: TestRun, agent: Path) -> None:
    """Its key opens the bastion, here the machine itself, while the machine is opened by a file."""
    sshd.start()
    hop = Bastion(host=sshd.address, port=sshd.port, user="root", agent=True, host_keys=sshd.host_key.public)
    connect(run, SSH(bastions=hop, timeout=20), sshd.machine()).close()
    assert sshd.said().count("Accepted publickey") == 2


def test_an_agent_that_does_not_run(sshd: Sshd, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says that it was asked for."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    sshd.start()
    with pytest.raises(CommunicatorError, match="an SSH agent, which has no keys or does not run"):
        connect(run, SSH(agent=True, timeout=20, handshake_attempts=1), sshd.machine(key_file=None))


def test_several_keys(sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """They are tried in order until one is taken."""
    sshd.start()
    spec = SSH(key_files=[another_key.private, sshd.user_key.private], timeout=20)
    connect(run, spec, sshd.machine(key_file=None)).close()
    refused = SSH(key_files=another_key.private, timeout=20, handshake_attempts=1)
    with pytest.raises(CommunicatorError, match="does not let"):
        connect(run, refused, sshd.machine(key_file=None))


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate(tmp_path: Path, run: TestRun, kind: str) -> None:
    """A key that the server knows only through the signature of an authority logs in with its certificate alone."""
    keygen("-t", "ed25519", "-N", "", "-f", tmp_path / "ca")
    keygen("-t", kind, "-N", "", "-f", tmp_path / "key")
    user = Sshd(tmp_path / "unused").machine().endpoint.user
    keygen("-s", tmp_path / "ca", "-I", "test", "-n", user, "-V", "+1h", tmp_path / "key.pub")
    server = Sshd(tmp_path / "sshd", extra=f"TrustedUserCAKeys {tmp_path / 'ca.pub'}")
    server.start()
    try:
        machine = server.machine(key_file=None)
        spec = SSH(key_files=tmp_path / "key", certificate=tmp_path / "key-cert.pub", timeout=20)
        connect(run, spec, machine).close()
        with pytest.raises(CommunicatorError, match="does not let"):
            connect(run, SSH(key_files=tmp_path / "key", timeout=20, handshake_attempts=1), machine)
    finally:
        server.stop()


def test_wrong_certificates(tmp_path: Path, sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """One of another user is refused by the server; one of another key, or a plain public key, by us, at once."""
    public = another_key.private.with_suffix(".pub")
    public.write_text(another_key.public + "\n")
    keygen("-t", "ed25519", "-N", "", "-f", tmp_path / "ca")
    keygen("-s", tmp_path / "ca", "-I", "test", "-n", "nobody-else", public)
    certificate = another_key.private.with_name(another_key.private.name + "-cert.pub")
    sshd.extra = f"TrustedUserCAKeys {tmp_path / 'ca.pub'}"
    sshd.start()
    machine = sshd.machine(key_file=None)
    for keys, path, said in (
        (another_key.private, certificate, "does not let"),
        (sshd.user_key.private, certificate, "is for none of the keys"),
        (another_key.private, public, "is not an SSH certificate"),
    ):
        spec = SSH(key_files=keys, certificate=path, timeout=20, handshake_attempts=1)
        with pytest.raises(CommunicatorError, match=said):
            connect(run, spec, machine)


def test_ciphers_and_key_exchanges(sshd: Sshd, run: TestRun) -> None:
    """What is declared is what is used; when both sides have nothing in common, the error says so at once."""
    sshd.extra = "Ciphers aes256-ctr,aes192-ctr\nKexAlgorithms ecdh-sha2-nistp384,ecdh-sha2-nistp521"
    sshd.start()
    spec = SSH(ciphers="aes192-ctr", key_exchanges="ecdh-sha2-nistp521", timeout=20)
    channel = connect(run, spec, sshd.machine())
    assert channel.transport.remote_cipher == channel.transport.local_cipher == "aes192-ctr"
    assert channel.run(Command(line="echo fine")).stdout == "fine\n"
    channel.close()
    with pytest.raises(CommunicatorError, match="no algorithm in common"):
        connect(run, SSH(ciphers="aes128-ctr", timeout=20), sshd.machine())


def known_hosts(path: Path, sshd: Sshd, key: KeyPair, *, hashed: bool = False) -> Path:
    """A file as OpenSSH writes it."""
    path.write_text(f"# a comment\nother ssh-ed25519 AAAA\n[127.0.0.1]:{sshd.port} {key.public}\n")
    if hashed:
        keygen("-H", "-f", path)
    return path


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_known_hosts(sshd: Sshd, run: TestRun, another_key: KeyPair, tmp_path: Path, hashed: bool) -> None:
    """A host that stands in the file is believed; another key, or none, is an error that names the file."""
    sshd.start()
    machine = sshd.machine(host_keys=())

    def spec(path: Path) -> SSH:
        return SSH(host_key_policy="known-hosts", known_hosts=path, timeout=20)

    connect(run, spec(known_hosts(tmp_path / "good", sshd, sshd.host_key, hashed=hashed)), machine).close()
    wrong = known_hosts(tmp_path / "wrong", sshd, another_key, hashed=hashed)
    with pytest.raises(CommunicatorError, match="shows another host key") as caught:
        connect(run, spec(wrong), machine)
    assert str(wrong) in str(caught.value)
    (tmp_path / "empty").touch()
    with pytest.raises(CommunicatorError, match="nobody knows the host key") as caught:
        connect(run, spec(tmp_path / "empty"), machine)
    assert sshd.host_key.fingerprint in str(caught.value)


def test_pin_only(sshd: Sshd, run: TestRun) -> None:
    """Under "pin" a machine of which no key is known is not talked to; with the source's key it is."""
    sshd.start()
    with pytest.raises(CommunicatorError, match="nobody knows the host key"):
        connect(run, SSH(host_key_policy="pin", timeout=20), sshd.machine(host_keys=()))
    connect(run, SSH(host_key_policy="pin", timeout=20), sshd.machine()).close()


def test_insecure(sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """It takes any key, even against what is known, and says so in the log."""
    sshd.start()
    connect(run, SSH(host_key_policy="insecure", timeout=20), sshd.machine(host_keys=(another_key.public,))).close()
    assert "taking any host key" in str(run.events)


def test_a_pause_before_connecting(sshd: Sshd, run: TestRun) -> None:
    """The machine is logged in to, left alone, and logged in to again."""
    sshd.start()
    connect(run, SSH(pause_before_connecting=0.3, timeout=20), sshd.machine()).close()
    assert sshd.said().count("Accepted publickey") == 2
    assert "waiting 0.3 s" in str(run.events)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_made_keys_of_other_types(sshd: Sshd, run: TestRun, tmp_path: Path, kind: KeyKind) -> None:
    """What a source makes of another type is let in, too."""
    made = make_key_pair(tmp_path / "made", "x", kind=kind)
    sshd.authorized.write_text(made.public + "\n")
    sshd.start()
    connect(run, SSH(timeout=20), sshd.machine(key_file=made.private)).close()


def test_a_made_key_goes_after_declared_ones(sshd: Sshd, run: TestRun, tmp_path: Path) -> None:
    """The source's own key works beside a declared one that is refused."""
    sshd.start()
    stranger = make_key_pair(tmp_path / "stranger", "x")
    connect(run, SSH(key_files=str(stranger.private), timeout=20), sshd.machine()).close()
