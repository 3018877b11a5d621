"""Machines that can be reached through bastions and proxies only, in network namespaces."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import attrs
import pytest

from packerpy.communicators.ssh import SSH, Proxy, route
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CancelledError, CommunicatorError, Disconnected, PluginError
from packerpy.kit.ssh_keys import KeyPair
from packerpy.testing import TestRun
from packerpy.values import Command
from tests.communicators.ssh.network import Network
from tests.communicators.ssh.sshd_server import Sshd

pytestmark = pytest.mark.root


def connect(run: TestRun, network: Network, spec: SSH) -> SSHChannel:
    """A channel to the machine behind the gate."""
    channel = spec.load().connect(run, network.machine)
    assert isinstance(channel, SSHChannel)
    return channel


def seen_from(channel: SSHChannel) -> str:
    """The address from which the machine's server sees the connection."""
    return channel.run(Command(line="echo $SSH_CONNECTION")).stdout.split()[0]


@pytest.fixture
def socks(network: Network) -> Proxy:
    """A SOCKS server in the gate, with a login."""
    network.at_gate("microsocks", "-p", "1080", "-u", "me", "-P", "s3cret-word", listens=1080)
    return Proxy(host=network.outside, user="me", password="s3cret-word")


@pytest.fixture
def http(network: Network, tmp_path: Path) -> Proxy:
    """An HTTP proxy in the gate that offers CONNECT, with a login."""
    config = tmp_path / "tinyproxy.conf"
    config.write_text(
        f"Port 8888\nListen {network.outside}\nTimeout 60\nMaxClients 20\nConnectPort 22\nConnectPort 2022\n"
        "BasicAuth me s3cret-word\n"
    )
    network.at_gate("tinyproxy", "-d", "-c", config, listens=8888)
    return Proxy(host=network.outside, protocol="http", port=8888, user="me", password="s3cret-word")


def test_the_machine_cannot_be_reached_directly(network: Network, run: TestRun) -> None:
    """Else the other tests of this file would prove nothing."""
    network.machine_sshd.start()
    with pytest.raises(CommunicatorError, match="could not be reached"):
        connect(run, network, SSH(timeout=1))


def test_a_bastion(network: Network, run: TestRun, tmp_path: Path) -> None:
    """Commands and files go through it; the machine sees the bastion's address; closing leaves no connection there."""
    network.bastion.start()
    network.machine_sshd.start()
    channel = connect(run, network, SSH(bastions=network.hop(), timeout=20))
    assert seen_from(channel) == network.inside
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    channel.put(tmp_path / "file", tmp_path / "there")
    assert (tmp_path / "there").stat().st_size == 3_000_000
    assert network.bastion.children()
    channel.close()
    deadline = time.monotonic() + 10
    while network.bastion.children():
        assert time.monotonic() < deadline, "the bastion still serves a connection"


def test_a_chain_of_bastions_behind_a_proxy(network: Network, run: TestRun, socks: Proxy, tmp_path: Path) -> None:
    """A proxy, two bastions with keys and ports of their own, then the machine."""
    inner = Sshd(tmp_path / "inner", address=network.there, port=2222, prefix=network.target.enter)
    inner.start()
    network.bastion.start()
    network.machine_sshd.start()
    try:
        second = network.hop(
            host=network.there, port=2222, key_files=inner.user_key.private, host_keys=inner.host_key.public
        )
        channel = connect(run, network, SSH(proxy=socks, bastions=[network.hop(), second], timeout=20))
        assert seen_from(channel) == network.there, "the second bastion is the machine itself, at another port"
        channel.close()
        assert f"from {network.outside}" in network.bastion.said(), "the proxy stands before the first"
    finally:
        inner.stop()


@pytest.mark.parametrize("kind", ["socks", "http"])
def test_a_proxy(network: Network, run: TestRun, kind: str, request: pytest.FixtureRequest) -> None:
    """SOCKS5 and CONNECT, both with a login, whose password is in no output."""
    proxy: Proxy = request.getfixturevalue(kind)
    network.machine_sshd.start()
    channel = connect(run, network, SSH(proxy=proxy, timeout=20))
    assert seen_from(channel) == network.inside
    channel.close()
    assert "s3cret-word" not in repr(proxy)
    run.say("the word is s3cret-word")
    assert "s3cret-word" not in str(run.events)


def test_a_proxy_s_password_that_cannot_be_sent(network: Network, run: TestRun, socks: Proxy) -> None:
    """The library sends ASCII only; that is said, at once, and without the password."""
    with pytest.raises(CommunicatorError, match="cannot be sent") as caught:
        connect(run, network, SSH(proxy=attrs.evolve(socks, password="corréct horse"), timeout=20))
    assert "horse" not in repr(caught.value.__cause__) + str(caught.value)


@pytest.mark.parametrize("way", ["bastion", "socks"])
def test_a_server_that_starts_late_is_noticed_soon(
    network: Network, run: TestRun, way: str, request: pytest.FixtureRequest
) -> None:
    """Through a bastion or a proxy a new attempt is made every second at least."""
    network.bastion.start()
    spec = SSH(bastions=network.hop()) if way == "bastion" else SSH(proxy=request.getfixturevalue("socks"))
    opened: list[float] = []

    def wait() -> None:
        channel = connect(run, network, attrs.evolve(spec, timeout=60))
        opened.append(time.monotonic())
        channel.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    threading.Event().wait(3)  # nothing to wait for: it is the absence of a server that is tried
    bound = network.machine_sshd.start()
    waiting.join(30)
    assert opened
    assert opened[0] - bound < 4, "a pause of one second plus a login on a busy machine"


def test_reconnecting_through_a_bastion(network: Network, run: TestRun) -> None:
    """When the machine restarts, and when the bastion itself does, the channel comes back."""
    network.bastion.start()
    network.machine_sshd.start()
    channel = connect(run, network, SSH(bastions=network.hop(), timeout=20))
    for server in (network.machine_sshd, network.bastion):
        server.stop()
        with pytest.raises(Disconnected):
            channel.run(Command(line="sleep 60"))
        server.start()
        channel.reconnect(20)
        assert channel.run(Command(line="echo again")).stdout == "again\n"
    channel.close()


def test_a_bastion_that_is_down(network: Network, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and not waited for as long as for a machine that boots."""
    monkeypatch.setattr(route, "_STEADY", 1.0)
    with pytest.raises(CommunicatorError, match=rf"bastion {network.outside}:2022 could not be reached within 1 s"):
        connect(run, network, SSH(bastions=network.hop(), timeout=60))


def test_a_bastion_that_refuses(network: Network, run: TestRun, another_key: KeyPair, tmp_path: Path) -> None:
    """A wrong key, an unknown host key, a changed host key, forwarding forbidden: each at once, naming the bastion."""
    network.bastion.start()
    network.machine_sshd.start()
    nothing = tmp_path / "known_hosts"
    nothing.touch()
    for hop, said in (
        (network.hop(key_files=another_key.private), "does not let user 'root' in"),
        (network.hop(host_keys=(), known_hosts=nothing), "nobody knows the host key"),
        (network.hop(host_keys=another_key.public), "shows another host key"),
    ):
        with pytest.raises(CommunicatorError, match=f"at the bastion {network.outside}:2022: .*{said}"):
            connect(run, network, SSH(bastions=hop, timeout=60))
    network.bastion.stop()
    network.bastion.extra = "AllowTcpForwarding no"
    network.bastion.start()
    with pytest.raises(CommunicatorError, match="does not forward connections"):
        connect(run, network, SSH(bastions=network.hop(), timeout=60))


def test_the_machine_behind_a_bastion_is_down(network: Network, run: TestRun) -> None:
    """The error tells that the way was gone to its end."""
    network.bastion.start()
    with pytest.raises(CommunicatorError, match="could not be reached within 5 s through the bastion") as caught:
        connect(run, network, SSH(bastions=network.hop(), timeout=5))
    assert "Connect failed" in str(caught.value), "the bastion's own words"


@pytest.mark.parametrize("kind", ["socks", "http"])
def test_a_proxy_that_refuses(network: Network, run: TestRun, kind: str, request: pytest.FixtureRequest) -> None:
    """A wrong password is told at once."""
    proxy: Proxy = attrs.evolve(request.getfixturevalue(kind), password="another")
    started = time.monotonic()
    with pytest.raises(CommunicatorError, match=f"the proxy {network.outside}:{proxy.port} refuses a connection"):
        connect(run, network, SSH(proxy=proxy, timeout=60))
    assert time.monotonic() - started < 10


def test_a_proxy_that_is_down(network: Network, run: TestRun) -> None:
    """It is named, and not taken for a machine that boots."""
    with pytest.raises(CommunicatorError, match=f"the proxy {network.outside}:1080 cannot be reached"):
        connect(run, network, SSH(proxy=Proxy(host=network.outside), timeout=60))


def test_a_cancel_while_waiting(network: Network, run: TestRun) -> None:
    """It ends the wait for a machine behind a bastion, also in the middle of an attempt."""
    network.bastion.start()
    network.target.ip("link", "set", "eth0", "down")  # so that the bastion's attempts are not refused but hang
    threading.Timer(1.0, run.cancellation.request).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        connect(run, network, SSH(bastions=network.hop(), timeout=60))
    assert time.monotonic() - started < 30


def test_a_network_that_goes_silent(network: Network, run: TestRun) -> None:
    """With read_write_timeout a connection on which nothing is acknowledged is given up in time."""
    network.bastion.start()
    machine = network.bastion.machine()
    spec = SSH(timeout=20, keep_alive=1, read_write_timeout=3)
    channel = spec.load().connect(run, machine)
    started: list[float] = []

    def silence(stream: str, text: str) -> None:
        started.append(time.monotonic())
        network.gate.ip("address", "flush", "dev", "out")  # the cable is there, but nobody answers

    with pytest.raises(Disconnected):
        channel.run(Command(line="echo up; sleep 30"), sink=silence)
    assert time.monotonic() - started[0] < 20
    channel.close()


def test_a_missing_library(network: Network, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the extra that brings it."""
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(PluginError, match="needs the library python-socks") as caught:
        connect(run, network, SSH(proxy=Proxy(host=network.outside), timeout=5))
    assert "packerpy[proxy]" in str(caught.value)
