"""Waiting for a server, logging in, knowing whom one talks to."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from packerpy.communicators.ssh import SSH
from packerpy.declare import Secret
from packerpy.errors import CancelledError, CommunicatorError, Disconnected
from packerpy.kit.ssh_keys import KeyPair, fingerprint
from packerpy.testing import TestRun
from packerpy.values import Command
from tests.communicators.ssh.sshd_server import Sshd, free_port


def test_a_server_that_starts_late_is_noticed_at_once(sshd: Sshd, run: TestRun) -> None:
    """From the moment the port is bound to a finished login passes little more than the promised 0.2 s."""
    opened: list[float] = []

    def connect() -> None:
        channel = SSH(timeout=30).load().connect(run, sshd.machine())
        opened.append(time.monotonic())
        channel.close()

    waiting = threading.Thread(target=connect)
    waiting.start()
    threading.Event().wait(0.7)  # nothing to wait for: it is the absence of a server that is tried
    bound = sshd.start()
    waiting.join(30)
    assert opened
    assert opened[0] - bound < 1.5, "0.2 s plus a login on a busy machine"


def test_nothing_there(sshd: Sshd, run: TestRun) -> None:
    """A port that nobody listens on ends in an error that says it was never reached."""
    with pytest.raises(CommunicatorError, match=r"could not be reached within 0\.5 s") as caught:
        SSH(timeout=0.5).load().connect(run, sshd.machine(port=free_port()))
    assert "refused" in str(caught.value)


def test_a_server_that_takes_connections_and_says_nothing(sshd: Sshd, run: TestRun) -> None:
    """It is told apart from one that cannot be reached, as QEMU's user-mode network makes it look all the time."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(CommunicatorError, match="takes connections, but no SSH server spoke"):
            SSH(timeout=1).load().connect(run, sshd.machine(port=port))


def test_a_server_that_speaks_another_language(sshd: Sshd, run: TestRun) -> None:
    """The error quotes what it said."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as other:

        def greet() -> None:
            while True:
                try:
                    connection, _ = other.accept()
                except OSError:
                    return
                connection.sendall(b"220 mail.example ESMTP\r\n")
                connection.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with pytest.raises(CommunicatorError, match=r"220 mail\.example"):
            SSH(timeout=1).load().connect(run, sshd.machine(port=other.getsockname()[1]))
        other.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_machine_that_dies_while_waiting(sshd: Sshd, run: TestRun) -> None:
    """Waiting ends as soon as the source knows that the machine is gone, with its reason."""
    asked = []

    def died() -> str | None:
        asked.append(1)
        return "qemu ended: out of memory" if len(asked) > 2 else None

    started = time.monotonic()
    with pytest.raises(CommunicatorError, match="out of memory"):
        SSH(timeout=60).load().connect(run, sshd.machine(), died=died)
    assert time.monotonic() - started < 30


def test_cancelling_ends_the_wait(sshd: Sshd, run: TestRun) -> None:
    """A cancel does not wait for the timeout."""
    threading.Timer(0.3, run.cancellation.request).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        SSH(timeout=60).load().connect(run, sshd.machine())
    assert time.monotonic() - started < 30


def test_wrong_key(sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """The error names the user and the key that were refused, and what to look at."""
    sshd.start()
    with pytest.raises(CommunicatorError, match="does not let user") as caught:
        SSH(timeout=20, handshake_attempts=2).load().connect(run, sshd.machine(key_file=another_key.private))
    assert another_key.fingerprint in str(caught.value)
    assert "2 times" in str(caught.value)


def test_a_key_that_becomes_valid_a_moment_later(sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """The first refusal is not the last word: a booting machine may not know the key yet."""
    sshd.start()
    say = run.say
    run.say = lambda message: (  # type: ignore[method-assign]
        say(message),
        threading.Timer(0.5, sshd.authorized.write_text, [another_key.public + "\n"]).start(),
    )[0]
    SSH(timeout=20).load().connect(run, sshd.machine(key_file=another_key.private)).close()


def test_wrong_host_key(sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """Another host key than the pinned one is an error at once, with both fingerprints."""
    sshd.start()
    with pytest.raises(CommunicatorError, match="shows another host key") as caught:
        SSH(timeout=20).load().connect(run, sshd.machine(host_keys=(another_key.public,)))
    assert another_key.fingerprint in str(caught.value)
    assert sshd.host_key.fingerprint in str(caught.value)


def test_an_unknown_host_key_is_pinned_for_the_run(sshd: Sshd, run: TestRun, another_key: KeyPair) -> None:
    """Trust on first use: the same run takes no other key from that machine afterwards."""
    sshd.start()
    machine = sshd.machine(host_keys=())
    SSH(timeout=20).load().connect(run, machine).close()
    sshd.stop()
    sshd.host_key = another_key
    sshd.start()
    with pytest.raises(CommunicatorError, match="learned at the first connection"):
        SSH(timeout=20).load().connect(run, machine)


def test_missing_and_broken_key_files(sshd: Sshd, run: TestRun, tmp_path: Path) -> None:
    """A key that cannot be read is no reason to try again."""
    sshd.start()
    with pytest.raises(CommunicatorError, match="cannot read the SSH key"):
        SSH(timeout=20).load().connect(run, sshd.machine(key_file=tmp_path / "none"))
    (tmp_path / "broken").write_text("not a key")
    with pytest.raises(CommunicatorError, match="is not a private SSH key"):
        SSH(timeout=20).load().connect(run, sshd.machine(key_file=tmp_path / "broken"))


def test_reconnecting_after_a_restart(sshd: Sshd, run: TestRun) -> None:
    """The same channel object works again once the server is back, and asks for the same host key."""
    sshd.start()
    channel = SSH(timeout=20).load().connect(run, sshd.machine())
    sshd.stop()
    with pytest.raises(Disconnected):
        channel.run(Command(line="true"))
    threading.Timer(0.4, sshd.start).start()
    channel.reconnect(20)
    assert channel.run(Command(line="echo again")).stdout == "again\n"
    channel.close()
    channel.close()


def test_a_connection_that_breaks_as_a_session_is_begun(
    sshd: Sshd, run: TestRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's write fails before its own thread has noticed: that is a lost connection too, no refusal."""
    sshd.start()
    channel = SSH(timeout=20).load().connect(run, sshd.machine())

    def broken(*_: object, **__: object) -> None:
        raise EOFError

    monkeypatch.setattr(channel.transport, "open_session", broken)
    with pytest.raises(Disconnected, match="`true` was not started"):
        channel.run(Command(line="true"))
    channel.close()


def test_reconnecting_keeps_a_connection_that_works(sshd: Sshd, run: TestRun) -> None:
    """A step may have been wrong to expect a restart; that costs no login."""
    sshd.start()
    channel = SSH(timeout=20).load().connect(run, sshd.machine())
    before = channel.transport
    channel.reconnect(20)
    assert channel.transport is before
    channel.close()


def test_the_passwords_text_is_nowhere(run: TestRun, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused password is named as such, and neither the declaration nor the error shows it."""
    sshd.start()
    monkeypatch.setenv("A_PASSWORD", "hunter2hunter2")
    spec = SSH(timeout=20, handshake_attempts=1, password=Secret(env="A_PASSWORD"))
    with pytest.raises(CommunicatorError, match="does not let user") as caught:
        spec.load().connect(run, sshd.machine(key_file=None))
    assert "a password" in str(caught.value)
    assert "the server takes only: publickey" in str(caught.value)
    assert "hunter2" not in str(caught.value) + repr(spec) + repr(SSH(password="hunter2"))


def test_problems_of_the_declaration(tmp_path: Path) -> None:
    """All of them come at once; a good declaration is hashable and has none."""
    bad = SSH(user="", host="", port=0, key_files=tmp_path / "x", timeout=0, keep_alive=-1, handshake_attempts=0,
              host_keys=("x",))  # fmt: skip
    assert {problem.where for problem in bad.check()} == {
        "user", "host", "port", "key_files[0]", "timeout", "keep_alive", "handshake_attempts", "host_keys[0]",
    }  # fmt: skip
    assert list(SSH().check()) == []
    assert hash(SSH(user="a")) == hash(SSH(user="a"))


def test_fingerprint_of_a_host_key(sshd: Sshd) -> None:
    """The fingerprint that errors show is the key's own."""
    assert sshd.host_key.fingerprint == fingerprint(sshd.host_key.public)
