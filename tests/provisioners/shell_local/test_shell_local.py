"""Commands on this host in the middle of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

import packerpy as pp
from packerpy.errors import ProvisionError
from packerpy.events import TaskMessage
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(host="h", port=2222, user="u", key_file=Path("/k")), communicator=pp.SSH())


def apply(run: TestRun, spec: pp.ShellLocal) -> str:
    """Run it; answers what it printed."""
    spec.load().apply(run, MACHINE, RecordingChannel())
    return run.printed


def test_lines_know_build_and_machine(run: TestRun, tmp_path: Path) -> None:
    """Environment, folder, and nothing of the script is left."""
    names = "$PACKER_BUILD_NAME $PACKERPY_HOST $PACKERPY_PORT $PACKERPY_USER $PACKERPY_KEY_FILE $OWN $PWD"
    printed = apply(run, pp.ShellLocal(f"echo {names}", env={"OWN": "mine"}, folder=tmp_path))
    assert printed == f"test h 2222 u /k mine {tmp_path}"
    assert list(run.workdir.iterdir()) == []


def test_the_first_failure_ends_it(run: TestRun) -> None:
    """As with steps in the machine; the error has its last words."""
    with pytest.raises(ProvisionError, match="the inline script failed with exit code 3") as caught:
        apply(run, pp.ShellLocal("echo why >&2; (exit 3)", "echo never"))
    assert "why" in str(caught.value)
    assert "never" not in run.printed


def test_scripts_and_interpreters(run: TestRun, tmp_path: Path) -> None:
    """A script's first line counts, whether it may be executed or not; a declared interpreter wins."""
    script, plain = tmp_path / "a b", tmp_path / "plain"
    script.write_text("#!/usr/bin/env -S python3 -u\nprint(1 + 1)\n")
    plain.write_text("echo $0 | grep -c plain\n")
    assert apply(run, pp.ShellLocal(scripts=[script, plain])) == "2\n1"
    assert apply(run, pp.ShellLocal("print('py')", interpreter="python3")).endswith("py")
    assert apply(run, pp.ShellLocal("#!/usr/bin/env python3", "print('thon')")).endswith("thon")


def test_secrets(run: TestRun) -> None:
    """Neither in the output nor in a process list."""
    secret = pp.Secret(value="hunter2-hunter2")
    look = "tr '\\0' ' ' < /proc/$$/cmdline; echo $S"
    printed = apply(run, pp.ShellLocal(look, secret, "true", env={"S": secret}, valid_exit_codes=[0, 127]))
    assert "hunter2" not in printed
    assert "<secret>" in printed


def test_other_exit_codes(run: TestRun) -> None:
    """What is declared as success is success."""
    apply(run, pp.ShellLocal("exit 7", valid_exit_codes=[7]))


def test_other_systems(run: TestRun) -> None:
    """On a system it is not for, nothing is run, and that is said."""
    assert apply(run, pp.ShellLocal("echo x", only_on="windows")) == ""
    assert any("it is for windows" in event.text for event in run.events if isinstance(event, TaskMessage))
    assert apply(run, pp.ShellLocal("echo x", only_on=["windows", "linux"])) == "x"


def test_a_limit_of_time(run: TestRun) -> None:
    """A script that ignores signals is killed with its children."""
    line = "sleep 300 & wait"
    for spec in (pp.Step(pp.ShellLocal("trap '' TERM", line), timeout=0.5), pp.ShellLocal(line, timeout=0.5)):
        with pytest.raises(ProvisionError, match=r"did not end within 0\.5 s"):
            spec.load().apply(run, MACHINE, RecordingChannel())


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.ShellLocal(), ""),
        (pp.ShellLocal("a", script="/nowhere"), ""),
        (pp.ShellLocal(script="/nowhere"), "scripts[0]"),
        (pp.ShellLocal("a", folder="/nowhere"), "folder"),
        (pp.ShellLocal("a", env={"1x": "y"}), "env"),
        (pp.ShellLocal("a", only_on="beos"), "only_on[0]"),
        (pp.ShellLocal("a", timeout=0), "timeout"),
        (pp.ShellLocal("a", interpreter=" "), "interpreter"),
        (pp.ShellLocal("a", valid_exit_codes=[300]), "valid_exit_codes"),
    ],
)
def test_problems(spec: pp.ShellLocal, where: str) -> None:
    """Each bad value is reported at its place."""
    assert where in [problem.where for problem in spec.check()]
