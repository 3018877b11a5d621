"""Real Puppet over a real SSH connection; its manifests touch nothing but the test's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import ProvisionError
from packerpy.events import TaskMessage
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A manifest that uses a module, data and a fact."""
    folder = tmp_path / "site"
    (folder / "modules/own/manifests").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data/common.yaml").write_text("own::colour: green\n")
    (folder / "hiera.yaml").write_text(
        "version: 5\nhierarchy:\n  - name: all\n    datadir: data\n    data_hash: yaml_data\n    path: common.yaml\n"
    )
    (folder / "modules/own/manifests/init.pp").write_text(
        "class own(String $colour = 'none') {\n"
        f"  file {{ '{tmp_path}/made': content => \"${{colour}} ${{facts['role']}}\" }}\n}}\n"
    )
    (folder / "site.pp").write_text("include own\nnotice(\"role is ${facts['role']}\")\n")
    return folder


def whole(site: Path, **changes: Any) -> pp.Puppet:
    """The step with everything."""
    spec = pp.Puppet(
        site / "site.pp",
        modules=site / "modules",
        hiera_config=site / "hiera.yaml",
        hiera_data=site / "data",
        facts={"role": pp.Secret(value="web-hunter2")},
        options=["--vardir", str(site / "var"), "--confdir", str(site / "conf")],
    )
    return attrs.evolve(spec, **changes)


def test_modules_data_and_facts_arrive(channel: SSHChannel, run: TestRun, site: Path, tmp_path: Path) -> None:
    """Changes mean success (exit code 2), and so does no change (0); a secret fact is masked; nothing is left behind."""
    for _ in range(2):
        whole(site).load().apply(run, MACHINE, channel)
    assert (tmp_path / "made").read_text() == "green web-hunter2"
    assert "role is <secret>" in run.printed
    assert channel.run(Command(line="ls -d /tmp/packerpy-[0-9a-f]*/manifests 2>/dev/null")).stdout == ""


def test_a_resource_that_fails(channel: SSHChannel, run: TestRun, site: Path) -> None:
    """Its own error is told; declared to be accepted, the build goes on."""
    (site / "site.pp").write_text("exec { '/bin/sh -c \"echo the reason; exit 5\"': logoutput => true }\n")
    with pytest.raises(ProvisionError, match="exit code 4: some resources failed") as caught:
        whole(site).load().apply(run, MACHINE, channel)
    assert "returned 5" in str(caught.value)
    whole(site, accept_failures=True).load().apply(run, MACHINE, channel)
    assert any("accepted as declared" in event.text for event in run.events if isinstance(event, TaskMessage))


def test_a_manifest_that_is_wrong(channel: SSHChannel, run: TestRun, site: Path) -> None:
    """Never accepted; the compiler's message is told."""
    (site / "site.pp").write_text("include no_such_class\n")
    with pytest.raises(ProvisionError, match="could not be compiled") as caught:
        whole(site, accept_failures=True).load().apply(run, MACHINE, channel)
    assert "no_such_class" in str(caught.value)


def test_a_folder_of_manifests(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """All of it is applied."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.pp").write_text(f"file {{ '{tmp_path}/{name}': content => '{name}' }}\n")
    spec = pp.Puppet(folder, options=["--vardir", str(tmp_path / "var"), "--confdir", str(tmp_path / "conf")])
    spec.load().apply(run, MACHINE, channel)
    assert (tmp_path / "a").read_text() + (tmp_path / "b").read_text() == "ab"


def test_a_guest_without_puppet(channel: SSHChannel, run: TestRun, site: Path) -> None:
    """It is said how to get it there."""
    with pytest.raises(ProvisionError, match="no such program") as caught:
        whole(site, command="no-such-puppet").load().apply(run, MACHINE, channel)
    assert "Packages" in str(caught.value.resolution)


def test_an_agent_without_its_server(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """The real agent is started and says that nobody answers; what it made lies in its own folders."""
    spec = pp.PuppetServer(
        "localhost",
        node="box.example",
        options=["--serverport=1", "--vardir", str(tmp_path / "var"), "--confdir", str(tmp_path / "conf")],
    )
    with pytest.raises(ProvisionError, match="puppet agent of localhost ended") as caught:
        spec.load().apply(run, MACHINE, channel)
    assert "onnection refused" in str(caught.value) + run.printed


def test_what_an_agent_is_told(run: TestRun, tmp_path: Path) -> None:
    """Server, name, certificate and facts; an answer of "changed" is success."""
    (tmp_path / "cert").write_text("the certificate")
    (tmp_path / "key").write_text("the key")
    channel = RecordingChannel({"puppet agent": Completed(exit_status=2)})
    spec = pp.PuppetServer(
        "puppet.example",
        node="box.example",
        client_cert=tmp_path / "cert",
        client_key=tmp_path / "key",
        facts={"role": "web"},
        wait_for_cert=5,
    )
    spec.load().apply(run, MACHINE, channel)
    (command,) = [command for command in channel.commands if "puppet agent" in command.line]
    for word in ("--server=puppet.example", "--certname=box.example", "--onetime", "--waitforcert=5", "--ssldir=/tmp/"):
        assert word in command.line
    assert command.env["FACTER_role"] == "web"
    assert command.sudo
    assert {path.parts[-2:]: content for path, content in channel.files.items()} == {
        ("certs", "box.example.pem"): b"the certificate",
        ("private_keys", "box.example.pem"): b"the key",
    }
    assert channel.commands[-1].line.startswith("rm -rf /tmp/packerpy-")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"manifest": "/nowhere.pp"}, "manifest"),
        ({"modules": "/nowhere"}, "modules"),
        ({"hiera_config": "/nowhere"}, "hiera_config"),
        ({"hiera_data": "/nowhere"}, "hiera_data"),
        ({"hiera_config": None}, "hiera_data"),
        ({"facts": {"Role": "x"}}, "facts"),
    ],
)
def test_problems(site: Path, changes: dict[str, Any], where: str) -> None:
    """Each bad value is reported at its place."""
    assert list(whole(site).check()) == []
    assert where in [problem.where for problem in whole(site, **changes).check()]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.PuppetServer("a b"), "server"),
        (pp.PuppetServer(node="-x"), "node"),
        (pp.PuppetServer(client_cert=__file__), "client_cert"),
        (pp.PuppetServer(client_key="/nowhere"), "client_key"),
        (pp.PuppetServer(client_cert=__file__, client_key=__file__), "node"),
        (pp.PuppetServer(wait_for_cert=-1), "wait_for_cert"),
        (pp.PuppetServer(facts={"a-b": "c"}), "facts"),
    ],
)
def test_problems_of_an_agent(spec: pp.PuppetServer, where: str) -> None:
    """Each bad value is reported at its place."""
    assert where in [problem.where for problem in spec.check()]
