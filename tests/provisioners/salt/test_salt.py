"""Salt without a master; a stand-in takes its place, and test_salt_live.py has a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import ProvisionError
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH())
SECRET = pp.Secret(value="hunter2-hunter2")

STAND_IN = """#!/bin/sh
# Says what it was given, keeps what it reads, fails when told to.
for word; do case $word in --config-dir=*) conf=${word#*=};; esac; done
cp -r "$conf/.." KEPT
echo "$*"
[ ! -e "$conf/../states/fails" ] || { cat "$conf/../states/fails"; exit 2; }
"""

FAILED = """local:
----------
          ID: good
      Result: True
----------
          ID: bad
    Function: cmd.run
      Result: False
     Comment: the reason

Summary for local
Failed:    1
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The stand-in."""
    path = tmp_path / "salt-call"
    path.write_text(STAND_IN.replace("KEPT", str(tmp_path / "kept")))
    path.chmod(0o755)
    return path


@pytest.fixture
def states(tmp_path: Path) -> Path:
    """States that write a pillar value and a grain."""
    folder = tmp_path / "states"
    folder.mkdir()
    (folder / "top.sls").write_text("base:\n  '*':\n    - own\n")
    (folder / "own.sls").write_text(
        f"{tmp_path}/made:\n  file.managed:\n    - contents: \"{{{{ pillar['a'] }}}} {{{{ pillar['given'] }}}} {{{{ grains['b'] }}}}\"\n"
    )
    (tmp_path / "pillar").mkdir()
    (tmp_path / "pillar/top.sls").write_text("base:\n  '*':\n    - values\n")
    (tmp_path / "pillar/values.sls").write_text("given: from-folder\n")
    return folder


def whole(states: Path, program: Path, **changes: Any) -> pp.Salt:
    """The step with pillar, grains and a folder of pillar."""
    spec = pp.Salt(
        states,
        pillar_folder=states.parent / "pillar",
        pillar={"a": SECRET},
        grains={"b": "grain"},
        command=str(program),
    )
    return attrs.evolve(spec, **changes)


def test_what_it_is_given(channel: SSHChannel, run: TestRun, states: Path, program: Path, tmp_path: Path) -> None:
    """Every folder is its own; secrets are in files; nothing is left in the machine."""
    whole(states, program).load().apply(run, MACHINE, channel)
    kept = tmp_path / "kept"
    config = json.loads((kept / "conf/minion.d/zz-packerpy.conf").read_text())
    assert config["file_client"] == "local"
    assert json.loads((kept / "conf/grains").read_text()) == {"b": "grain"}
    assert json.loads((kept / "pillar.json").read_text()) == {"a": "hunter2-hunter2"}
    assert (kept / "states/own.sls").is_file()
    assert (kept / "pillar/values.sls").is_file()
    assert "--local" in run.printed
    assert "--retcode-passthrough" in run.printed
    assert "hunter2" not in run.printed
    assert channel.run(Command(line="ls -d /tmp/packerpy-[0-9a-f]*/conf 2>/dev/null")).stdout == ""


def test_a_state_that_fails(channel: SSHChannel, run: TestRun, states: Path, program: Path) -> None:
    """Its comment and the summary are told, without what went well."""
    (states / "fails").write_text(FAILED)
    with pytest.raises(ProvisionError, match="salt: own of states ended with exit code 2") as caught:
        whole(states, program, apply="own").load().apply(run, MACHINE, channel)
    assert "the reason" in str(caught.value)
    assert "Summary for local" in str(caught.value)
    assert "ID: good" not in str(caught.value)


def test_a_guest_without_salt(channel: SSHChannel, run: TestRun, states: Path) -> None:
    """It is said how to get it there."""
    with pytest.raises(ProvisionError, match="no program 'no-such-salt'") as caught:
        whole(states, Path("no-such-salt")).load().apply(run, MACHINE, channel)
    assert "install=" in str(caught.value.resolution)


def test_installing_it(run: TestRun, states: Path, tmp_path: Path) -> None:
    """By package, or by a script of the user's; not when it is there."""
    script = tmp_path / "get.sh"
    script.write_text("true\n")
    gone = {"^command -v salt": Completed(exit_status=1), "^for m in": Completed(exit_status=0, stdout="apt-get\n")}
    by_package, by_script, there = RecordingChannel(gone), RecordingChannel(gone), RecordingChannel()
    pp.Salt(states, install="package").load().apply(run, MACHINE, by_package)
    assert any("install -- salt-minion" in command.line for command in by_package.commands)
    spec = pp.Salt(states, install="script", script=script, script_arguments=["stable"])
    spec.load().apply(run, MACHINE, by_script)
    assert any(command.line.endswith("install.sh stable") and command.sudo for command in by_script.commands)
    spec.load().apply(run, MACHINE, there)
    assert not any("install.sh" in command.line for command in there.commands)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"states": "/nowhere"}, "states"),
        ({"pillar_folder": "/nowhere"}, "pillar_folder"),
        ({"minion_config": "/nowhere"}, "minion_config"),
        ({"install": "pip"}, "install"),
        ({"install": "script"}, "script"),
        ({"script": "/nowhere"}, "script"),
        ({"log_level": "loud"}, "log_level"),
    ],
)
def test_problems(states: Path, program: Path, changes: dict[str, Any], where: str) -> None:
    """Each bad value is reported at its place."""
    assert list(whole(states, program).check()) == []
    spec = attrs.evolve(whole(states, program), **changes)
    assert where in [problem.where for problem in spec.check()]


def test_states_without_a_top_file(states: Path, program: Path) -> None:
    """They need to be named."""
    (states / "top.sls").unlink()
    assert [problem.where for problem in whole(states, program).check()] == ["states"]
    assert list(whole(states, program, apply="own").check()) == []
