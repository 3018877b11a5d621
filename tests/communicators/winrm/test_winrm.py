"""WinRM against a server of our own; what is common to all channels stands in test_channels.py."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.winrm import scripts
from packerpy.communicators.winrm.channel import WinRMChannel
from packerpy.errors import CommunicatorError, Disconnected, PluginError
from packerpy.testing import TestRun
from packerpy.values import Command
from tests.communicators.ssh.sshd_server import free_port
from tests.communicators.winrm.conftest import Authority, connect, spec_for
from tests.communicators.winrm.wsman_server import WSManServer


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_logins(tmp_path: Path, run: TestRun, authority: Authority, auth: str, tls: bool) -> None:
    """Basic and NTLM, with and without TLS; commands come through whole."""
    server = WSManServer(tmp_path, auth=auth, tls=authority.sign("server", address="127.0.0.1") if tls else None)
    server.start()
    try:
        channel = connect(run, spec_for(server, tmp_path, ca_file=authority.file if tls else None))
        for _ in range(2):
            done = channel.run(Command(line="cat; echo err >&2; exit 3", stdin=b"in"))
            assert (done.exit_status, done.stdout, done.stderr) == (3, "in", "err\n")
        channel.close()
    finally:
        server.stop()


def test_a_client_certificate(tmp_path: Path, run: TestRun, authority: Authority) -> None:
    """It logs in without user and password; one that another authority signed does not."""
    server = WSManServer(
        tmp_path, auth="certificate", tls=authority.sign("server", address="127.0.0.1"), client_ca=authority.file
    )
    server.start()
    try:
        certificate, key = authority.sign("client")
        keys = {"certificate": certificate, "certificate_key": key, "ca_file": authority.file}
        spec = spec_for(server, tmp_path, user=None, password=None, **keys)
        channel = connect(run, spec)
        assert channel.run(Command(line="echo in")).stdout == "in\n"
        channel.close()
        stranger, its_key = Authority.make(tmp_path / "other").sign("client")
        keys |= {"certificate": stranger, "certificate_key": its_key, "timeout": 1, "login_attempts": 1}
        with pytest.raises(CommunicatorError):
            connect(run, spec_for(server, tmp_path, user=None, password=None, **keys))
    finally:
        server.stop()


def test_a_certificate_of_the_machine_that_nobody_signed(tmp_path: Path, run: TestRun, authority: Authority) -> None:
    """It is an error at once, unless any is taken, which is said."""
    server = WSManServer(tmp_path, tls=authority.sign("server", address="127.0.0.1"))
    server.start()
    try:
        with pytest.raises(CommunicatorError, match="certificate is not trusted") as caught:
            connect(run, spec_for(server, tmp_path))
        assert "ca_file=" in str(caught.value)
        other = Authority.make(tmp_path / "other")
        with pytest.raises(CommunicatorError, match="certificate is not trusted"):
            connect(run, spec_for(server, tmp_path, ca_file=other.file))
        connect(run, spec_for(server, tmp_path, insecure=True)).close()
        assert "taking any certificate" in str(run.events)
    finally:
        server.stop()


def test_a_certificate_for_another_name(tmp_path: Path, run: TestRun, authority: Authority) -> None:
    """Signed by the right authority, but for another machine."""
    server = WSManServer(tmp_path, tls=authority.sign("server", address="127.0.0.9"))
    server.start()
    try:
        with pytest.raises(CommunicatorError, match="certificate is not trusted"):
            connect(run, spec_for(server, tmp_path, ca_file=authority.file))
    finally:
        server.stop()


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
def test_a_wrong_password(tmp_path: Path, run: TestRun, auth: str) -> None:
    """After the declared number of refusals; the password is shown nowhere."""
    server = WSManServer(tmp_path, auth=auth)
    server.start()
    try:
        spec = spec_for(server, tmp_path, password="wrong-wrong", login_attempts=2)
        with pytest.raises(CommunicatorError, match="does not let user 'me' in") as caught:
            connect(run, spec)
        assert "2 times" in str(caught.value)
        assert "wrong-wrong" not in str(caught.value) + repr(spec)
    finally:
        server.stop()


def test_a_user_who_is_made_late(tmp_path: Path, run: TestRun) -> None:
    """The first refusal is not the last word: Windows answers before it has set up its users."""
    server = WSManServer(tmp_path, password="not yet")
    server.start()
    spec = spec_for(server, tmp_path, password="s3cret-word")
    threading.Timer(0.5, setattr, [server, "password", "s3cret-word"]).start()
    try:
        connect(run, spec).close()
    finally:
        server.stop()


def test_ntlm_without_tls_is_encrypted(tmp_path: Path, run: TestRun) -> None:
    """The server saw the messages only after it had decrypted them; a plain request is not what came."""
    server = WSManServer(tmp_path, auth="ntlm")
    server.start()
    try:
        channel = connect(run, spec_for(server, tmp_path))
        channel.run(Command(line="echo a-secret-line"))
        channel.close()
        assert b"a-secret-line" in server.seen
    finally:
        server.stop()


def test_nothing_there(run: TestRun, server: WSManServer, tmp_path: Path) -> None:
    """A port that nobody listens on, and one that speaks something else, are told apart."""
    with pytest.raises(CommunicatorError, match="could not be reached within 1 s"):
        connect(run, spec_for(server, tmp_path, port=free_port(), timeout=1.0))
    with pytest.raises(CommunicatorError, match="no command could be run over WinRM within 1 s"):
        connect(run, spec_for(server, tmp_path, tls=True, insecure=True, timeout=1.0))


def test_a_service_that_starts_late(run: TestRun, tmp_path: Path) -> None:
    """It is noticed soon after its port is bound."""
    server = WSManServer(tmp_path, port=free_port())
    opened: list[float] = []

    def wait() -> None:
        connect(run, spec_for(server, tmp_path)).close()
        opened.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    threading.Event().wait(1.0)  # nothing to wait for: it is the absence of a server that is tried
    server.start()
    bound = time.monotonic()
    waiting.join(20)
    server.stop()
    assert opened
    assert opened[0] - bound < 8, "a pause of 0.4 s, and the start of an interpreter on a busy machine"


def test_powershell(channel: WinRMChannel, run: TestRun, server: WSManServer, tmp_path: Path) -> None:
    """A script goes encoded to powershell.exe: by its own method, and for all commands where that shell is declared."""
    script = 'cat; echo "it\'s $V"; exit 4'
    done = channel.powershell(script, Command(line="a script", env={"V": "x"}, stdin=b"in "))
    assert (done.exit_status, done.stdout) == (4, "in it's x\n")
    other = connect(run, spec_for(server, tmp_path, shell="powershell"))
    assert other.run(Command(line=script, env={"V": "y"}, stdin=b"")).stdout == "it's y\n"
    other.close()


def test_what_cannot_be_run(channel: WinRMChannel) -> None:
    """Terminals, endless lines and odd variables are refused with what to do."""
    for command, said in (
        (Command(line="true", pty=True), "no terminals over WinRM"),
        (Command(line="x" * 9000), "too long for a command line of Windows"),
        (Command(line="true", env={"A=B": "1"}), "cannot be the name"),
    ):
        with pytest.raises(CommunicatorError, match=said):
            channel.run(command)


def test_a_restart_in_the_middle_of_a_command(channel: WinRMChannel, server: WSManServer) -> None:
    """The command ends as disconnected, and the channel comes back when the machine is another boot of itself."""
    with pytest.raises(Disconnected):
        channel.run(Command(line="echo up; sleep 60"), sink=lambda *_: server.stop())
    threading.Timer(0.5, server.restart).start()
    channel.reconnect(20)
    assert channel.run(Command(line="echo again")).stdout == "again\n"


def test_a_restart_that_nobody_saw(channel: WinRMChannel, server: WSManServer) -> None:
    """A machine that went down and came up between two commands is known by the time of its start."""
    server.restart()
    started = time.monotonic()
    channel.reconnect(20)
    assert time.monotonic() - started < 10
    assert channel.run(Command(line="echo again")).stdout == "again\n"


def test_a_machine_that_stays_up(channel: WinRMChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnecting to it ends well, after the time that a restart takes to begin."""
    monkeypatch.setattr("packerpy.communicators.winrm.channel._SETTLE", 1.0)
    channel.reconnect(20)
    assert channel.run(Command(line="echo still")).stdout == "still\n"


def test_a_shell_that_the_service_forgot(channel: WinRMChannel, server: WSManServer) -> None:
    """The fault that Windows answers then is taken for what it is: the machine was restarted."""

    def forget(*_: str) -> None:
        for shell in server.shells.values():
            shell.kill()
        server.shells.clear()

    with pytest.raises(Disconnected, match="forgot the shell"):
        channel.run(Command(line="echo up; sleep 60"), sink=forget)


def test_a_large_file(channel: WinRMChannel, tmp_path: Path) -> None:
    """More than any message holds, in both directions."""
    (tmp_path / "big").write_bytes(os.urandom(5_000_000))
    channel.put(tmp_path / "big", PurePosixPath(tmp_path / "there"))
    channel.get(PurePosixPath(tmp_path / "there"), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()


def test_quoting() -> None:
    """A path stays a path, also with the apostrophes that PowerShell takes for plain ones."""
    assert scripts.quoted("C:/it's \u2019here") == "'C:/it''s \u2019\u2019here'"
    assert len(scripts.command_line(scripts.filled(scripts.PUT, path=scripts.quoted("x" * 200)))) < scripts.LONGEST


def test_a_missing_library(server: WSManServer, run: TestRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the extra that brings it."""
    monkeypatch.setitem(sys.modules, "pypsrp", None)
    monkeypatch.setitem(sys.modules, "pypsrp.wsman", None)
    with pytest.raises(PluginError, match="needs the library pypsrp") as caught:
        connect(run, spec_for(server, tmp_path))
    assert "packerpy[winrm]" in str(caught.value)
