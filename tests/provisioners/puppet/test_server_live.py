"""A real agent with a real Puppet Server, both in a tree; the server listens on the loopback address alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy.communicators.local.channel import LocalChannel
from packerpy.errors import CancelledError, ProvisionError
from packerpy.testing import TestRun, make_run
from packerpy.values import Command
from tests.communicators.ssh.sshd_server import free_port
from tests.provisioners.tree import Tree, said

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

SERVER, NODE, OTHER = "puppet.example", "box.example", "other.example"

CATALOGUE = "file { '/srv/made': content => \"${trusted['certname']} is ${facts['role']}\\n\" }\n"

FILES = {
    "etc/hosts": f"127.0.0.1 localhost {SERVER}\n",
    "etc/hostname": f"{SERVER}\n",
    # Short keys are made in a moment.
    "etc/puppet/puppet.conf": f"[main]\nkeylength=2048\n[server]\ncertname={SERVER}\n",
    "etc/puppet/autosign.conf": f"{NODE}\n{OTHER}\n",
    "etc/puppet/code/environments/production/manifests/site.pp": CATALOGUE,
}


@attrs.frozen
class Server:
    """A server that runs.

    :ivar log: what it said.
    """

    tree: Tree
    port: int
    log: list[str]

    def agent(self, run: TestRun, channel: LocalChannel, **fields: object) -> None:
        """Let the tree's agent ask it, as ``box.example`` unless told otherwise."""
        spec = pp.PuppetServer(SERVER, node=NODE, options=[f"--serverport={self.port}"])
        attrs.evolve(spec, **fields).load().apply(run, self.tree.machine, channel)  # type: ignore[arg-type]

    def signed(self) -> int:
        """How many certificates it has signed for agents."""
        return "".join(self.log).count("Signed certificate request for")


@pytest.fixture(scope="module")
def server(tools_tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It runs in namespaces of its own, as long as this module's tests do."""
    port = free_port()
    for name, text in FILES.items():
        (tools_tree.root / name).parent.mkdir(parents=True, exist_ok=True)
        (tools_tree.root / name).write_text(text)
    _replace(tools_tree.root / "etc/default/puppetserver", {"-Xms1g -Xmx1g": "-Xmx512m -XX:+UseSerialGC"})
    # By TLS 1.3 the two were seen to wait for each other until the server's 30 s without traffic were over.
    listening = {"0.0.0.0": "127.0.0.1", "8140": f"{port}\n    ssl-protocols: [TLSv1.2]"}
    _replace(tools_tree.root / "etc/puppet/puppetserver/conf.d/webserver.conf", listening)
    run = make_run(tmp_path_factory.mktemp("puppet-server"))
    made, ready = Server(tools_tree, port, []), threading.Event()

    def note(stream: str, text: str) -> None:
        made.log.append(text)
        if "now ready to handle requests" in "".join(made.log):
            ready.set()

    def serve() -> None:
        try:
            tools_tree.channel(run).run(Command(line="exec puppetserver foreground"), sink=note)
        except CancelledError:
            pass
        finally:
            ready.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        ready.wait()
        assert thread.is_alive(), "".join(made.log)[-5000:]
        yield made
    finally:
        run.cancellation.request()
        thread.join()
        assert run.close(failed=False) == ()


def _replace(path: Path, words: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture
def agents(tools_tree: Tree, run: TestRun) -> LocalChannel:
    """The channel to where agents run."""
    return tools_tree.channel(run)


def test_a_catalogue_is_fetched_and_applied(server: Server, run: TestRun, agents: LocalChannel, tmp_path: Path) -> None:
    """The server signs a name that it trusts; with the certificate, a machine that has none needs no signature.

    The certificate that was brought along is not left in the machine.
    """
    server.agent(run, agents, facts={"role": "web"})
    assert said(agents, "cat /srv/made") == f"{NODE} is web\n"
    assert server.signed() == 1
    ssl = Path(said(agents, "puppet agent --configprint ssldir").strip())
    for folder in ("certs", "private_keys"):
        path = server.tree.root / ssl.relative_to("/") / folder / f"{NODE}.pem"
        (tmp_path / folder).write_bytes(path.read_bytes())
    said(agents, f"rm -rf {ssl}")
    certificate = {"client_cert": tmp_path / "certs", "client_key": tmp_path / "private_keys"}
    server.agent(run, agents, facts={"role": "mail"}, **certificate)
    assert said(agents, "cat /srv/made") == f"{NODE} is mail\n"
    assert server.signed() == 1
    assert said(agents, f"find / -xdev -name {NODE}.pem -path '*private_keys*'") == ""


def test_a_name_that_is_not_signed(server: Server, run: TestRun, agents: LocalChannel) -> None:
    """The agent asks once and gives up; what it said is told."""
    with pytest.raises(ProvisionError, match="ended with exit code 1") as caught:
        server.agent(run, agents, node="stranger.example")
    assert "stranger.example" in str(caught.value) + run.printed


def test_a_catalogue_that_cannot_be_compiled(server: Server, run: TestRun, agents: LocalChannel) -> None:
    """The server's error is told."""
    manifest = server.tree.root / "etc/puppet/code/environments/broken/manifests/site.pp"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("include no_such_class\n")
    with pytest.raises(ProvisionError, match="exit code 1") as caught:
        server.agent(run, agents, node=OTHER, options=[f"--serverport={server.port}", "--environment=broken"])
    assert "no_such_class" in str(caught.value)
