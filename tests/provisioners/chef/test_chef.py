"""Chef, whose place is taken by a stand-in on a real shell: there is no Chef to be had."""

from __future__ import annotations

import json
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
SECRET = pp.Secret(value="hunter2-hunter2")

STAND_IN = """#!/bin/sh
# Keeps what it is given; fails when a cookbook says so.
[ "$1" = --local-mode ] && mode=$1 && shift
cp -r "$(dirname "$2")" KEPT
echo "$mode $* licence $CHEF_LICENSE"
[ ! -e "$(dirname "$2")/cookbooks-0/fails" ] || { echo noise; echo "[x] FATAL: the reason"; exit 1; }
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The stand-in."""
    path = tmp_path / "chef-client"
    path.write_text(STAND_IN.replace("KEPT", str(tmp_path / "kept")))
    path.chmod(0o755)
    return path


@pytest.fixture
def cookbooks(tmp_path: Path) -> Path:
    """A folder with one cookbook, and roles and environments beside it."""
    recipe = tmp_path / "cookbooks/own/recipes/default.rb"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("file '/x'\n")
    for name in ("roles", "bags", "environments"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.json").write_text("{}")
    return tmp_path / "cookbooks"


def whole(cookbooks: Path, program: Path, **changes: Any) -> pp.ChefSolo:
    """The step with everything."""
    spec = pp.ChefSolo(
        cookbooks=cookbooks,
        run_list=["recipe[own]", "own::other"],
        roles=cookbooks.parent / "roles",
        data_bags=cookbooks.parent / "bags",
        environments=cookbooks.parent / "environments",
        environment="one",
        json={"own": {"password": SECRET}},
        data_bag_secret=SECRET,
        config="log_level :info",
        command=str(program),
    )
    return attrs.evolve(spec, **changes)


def test_a_run_without_server(
    channel: SSHChannel, run: TestRun, cookbooks: Path, program: Path, tmp_path: Path
) -> None:
    """Cookbooks, roles, data and attributes arrive where the configuration says; nothing is left in the machine."""
    whole(cookbooks, program).load().apply(run, MACHINE, channel)
    kept = tmp_path / "kept"
    assert json.loads((kept / "node.json").read_text()) == {
        "own": {"password": "hunter2-hunter2"},
        "run_list": ["recipe[own]", "own::other"],
    }
    config = (kept / "config.rb").read_text()
    place = config.partition("node_path '")[2].partition("/nodes'")[0]
    for line in (
        f"cookbook_path ['{place}/cookbooks-0']",
        f"role_path '{place}/role_path'",
        f"data_bag_path '{place}/data_bag_path'",
        f"environment_path '{place}/environment_path'",
        f"encrypted_data_bag_secret '{place}/secret'",
        "log_level :info",
    ):
        assert line in config.splitlines()
    assert (kept / "cookbooks-0/own/recipes/default.rb").is_file()
    assert (kept / "role_path/one.json").is_file()
    assert (kept / "secret").read_text() == "hunter2-hunter2"
    assert run.printed.startswith("--local-mode --config /tmp/packerpy-")
    assert run.printed.endswith("--environment one licence accept-silent")
    assert channel.run(Command(line=f"ls -d {place}")).exit_status != 0


def test_a_recipe_that_fails(channel: SSHChannel, run: TestRun, cookbooks: Path, program: Path) -> None:
    """Chef's own reason is told, without the noise before it."""
    (cookbooks / "fails").touch()
    with pytest.raises(ProvisionError, match="ended with exit code 1") as caught:
        whole(cookbooks, program).load().apply(run, MACHINE, channel)
    assert "the reason" in str(caught.value)
    assert "noise" not in str(caught.value)


def test_solo(run: TestRun) -> None:
    """Chef-solo has no local mode."""
    channel = RecordingChannel({"^for p": Completed(exit_status=0, stdout="/opt/cinc/bin/cinc-solo\n")})
    pp.ChefSolo(run_list="x", solo=True).load().apply(run, MACHINE, channel)
    (line,) = [command.line for command in channel.commands if "--config" in command.line]
    assert line.startswith("/opt/cinc/bin/cinc-solo --config")


def test_a_guest_without_chef(run: TestRun) -> None:
    """It is installed by what the declaration says, else that is asked for."""
    channel = RecordingChannel({"^for p": Completed(exit_status=1)})
    with pytest.raises(ProvisionError, match="none of cinc-client, chef-client"):
        pp.ChefSolo(run_list="x").load().apply(run, MACHINE, channel)
    with pytest.raises(ProvisionError, match="none of"):
        pp.ChefSolo(run_list="x", install_command="dpkg -i /chef.deb").load().apply(run, MACHINE, channel)
    assert "dpkg -i /chef.deb" in [command.line for command in channel.commands if command.sudo]


def test_a_run_with_a_server(run: TestRun) -> None:
    """Server, name, key and policy; afterwards node and client are removed from the server, also after a failure."""
    channel = RecordingChannel(
        {"--once": Completed(exit_status=1, stderr="FATAL: no"), "^.*knife client": Completed(exit_status=1)}
    )
    spec = pp.ChefClient(
        server_url="https://chef.example/organizations/o",
        node_name="it's",
        validation_key=SECRET,
        policy_name="web",
        policy_group="prod",
        verify_certificate=False,
        command="/opt/chef/bin/chef-client",
    )
    with pytest.raises(ProvisionError, match="exit code 1"):
        spec.load().apply(run, MACHINE, channel)
    files = {path.name: content.decode() for path, content in channel.files.items()}
    for line in (
        "chef_server_url 'https://chef.example/organizations/o'",
        "node_name 'it\\'s'",
        "ssl_verify_mode :verify_none",
        "validation_client_name 'chef-validator'",
    ):
        assert line in files["config.rb"].splitlines()
    assert files["validation.pem"] == "hunter2-hunter2"
    assert json.loads(files["node.json"]) == {"policy_name": "web", "policy_group": "prod"}
    knives = [command.line for command in channel.commands if "/knife" in command.line]
    assert [line.split()[:3] for line in knives] == [
        ["/opt/chef/bin/knife", "node", "delete"],
        ["/opt/chef/bin/knife", "client", "delete"],
    ]
    assert any("client it's could not be removed" in e.text for e in run.events if isinstance(e, TaskMessage))
    assert not any("hunter2" in command.line for command in channel.commands)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"run_list": []}, "run_list"),
        ({"run_list": ["-x y"]}, "run_list"),
        ({"cookbooks": "/nowhere"}, "cookbooks"),
        ({"roles": "/nowhere"}, "roles"),
        ({"data_bags": "/nowhere"}, "data_bags"),
        ({"environments": "/nowhere"}, "environments"),
        ({"environments": None}, "environment"),
        ({"data_bag_secret": "open"}, "data_bag_secret"),
        ({"licence": "no"}, "licence"),
    ],
)
def test_problems(cookbooks: Path, program: Path, changes: dict[str, Any], where: str) -> None:
    """Each bad value is reported at its place."""
    spec = whole(cookbooks, program)
    assert list(spec.check()) == []
    assert where in [problem.where for problem in attrs.evolve(spec, **changes).check()]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.ChefClient(server_url="chef"), "server_url"),
        (pp.ChefClient(server_url="https://c", policy_name="a"), "policy_name"),
        (pp.ChefClient(server_url="https://c", policy_name="a", policy_group="b", run_list="c"), "run_list"),
    ],
)
def test_problems_of_a_client(spec: pp.ChefClient, where: str) -> None:
    """Each bad value is reported at its place."""
    assert [problem.where for problem in spec.check()] == [where]
