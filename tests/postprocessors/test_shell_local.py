"""ShellLocal as a post-processor, with the host's own shell."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.errors import CancelledError, PostProcessError
from packerpy.events import TaskMessage
from packerpy.postprocessors.artifice import Artifice
from packerpy.postprocessors.shell_local import ShellLocal
from packerpy.testing import TestRun
from packerpy.values import Artifact
from tests.execute.conftest import Builder, builder

__all__ = ["builder"]

PASSWORD = "hunter2-of-the-registry"
SECRET = pp.Secret(value=PASSWORD)
SECRET_LINE = pp.Secret(value=f"x={PASSWORD}")


def test_it_is_told_the_artifact(run: TestRun, disk: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names artifact, results and build, and keeps the host's own; the artifact goes on as it is."""
    monkeypatch.setenv("FROM_OUTSIDE", "kept")
    script = 'printf %s "$PACKERPY_ARTIFACT" > "$PACKERPY_OUTPUT/told"; env > "$PACKERPY_OUTPUT/env"'
    made = ShellLocal(script, env={"B": "it's", "A": "1"}).load().process(run, disk)
    assert made.artifact == disk
    assert made.needs_input
    told = json.loads((run.staging / "told").read_text())
    assert told == {
        "id": "web.raw",
        "kind": "disk",
        "builder_id": "packerpy.qemu",
        "files": [str(disk.files[0])],
        "outputs": dict(disk.outputs),
        "facts": dict(disk.facts),
    }
    env = (run.staging / "env").read_text().splitlines()
    wanted = ("FROM_OUTSIDE=kept", "B=it's", "A=1", "PACKER_BUILD_NAME=web", "PACKER_BUILDER_TYPE=qemu")
    assert set(wanted) <= set(env)


def test_what_it_makes_is_adopted(builder: Builder) -> None:
    """Its new files become results through an Artifice after it; without one they are not delivered."""
    make = ShellLocal('for f in new other; do echo made > "$PACKERPY_OUTPUT/$f"; done')
    image = pp.Image("web", pp.Fake(content="x"), post=[[make, Artifice("new"), pp.Checksum()]])
    names = {path.name for path in builder(image).files("web")}
    assert {"new", "new.sha256"} <= names
    assert "other" not in names


def test_secrets_stay_unseen(builder: Builder) -> None:
    """A secret reaches the script by environment and by line; no process list, event or error shows it."""
    show = "tr '\\0' ' ' < /proc/$$/cmdline; ps -eo args; echo in the clear: $TOKEN; echo again: $TOKEN >&2; exit 3"
    image = pp.Image("web", pp.Fake(content="x"), post=[ShellLocal([SECRET_LINE, show], env={"TOKEN": SECRET})])
    with pytest.raises(PostProcessError) as raised:
        builder(image)
    texts = [repr(attrs.asdict(event)) for event in builder.events]
    assert any("in the clear" in text and "<secret>" in text for text in texts)
    assert not any(PASSWORD in text for text in texts)
    assert "inline script failed with exit code 3" in raised.value.brief
    assert PASSWORD not in str(raised.value)
    assert builder.leftovers == []


def test_the_script_is_private_and_gone(run: TestRun, disk: Artifact) -> None:
    """While it runs only we can read it; afterwards it is not there."""
    ShellLocal('stat -c "%a %n" "$0" > "$PACKERPY_OUTPUT/mode"').load().process(run, disk)
    mode, path = (run.staging / "mode").read_text().split(maxsplit=1)
    assert mode == "600"
    assert not Path(path.strip()).exists()


def test_scripts_and_interpreters(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """Scripts need no mode; their #! counts, an interpreter given counts more; lines end at the first failure."""
    python = tmp_path / "a.py"
    python.write_text("#!/usr/bin/env python3\nprint('python', 6 * 7)\n")
    plain = tmp_path / "b"
    plain.write_text("echo plain $(( 6 * 7 ))\n")
    ShellLocal(scripts=[python, plain]).load().process(run, disk)
    ShellLocal(script=plain, interpreter="/bin/sh -x").load().process(run, disk)
    ShellLocal("#!/usr/bin/env python3", "print('inline')").load().process(run, disk)
    assert run.printed.splitlines().count("plain 42") == 2
    assert {"python 42", "inline"} <= set(run.printed.splitlines())
    with pytest.raises(PostProcessError, match="exit code 1"):
        ShellLocal("false", "echo not reached").load().process(run, disk)
    assert "not reached" not in run.printed
    ShellLocal("pwd", folder=tmp_path).load().process(run, disk)
    assert str(tmp_path) in run.printed.splitlines()
    ShellLocal("exit 7", valid_exit_codes=(0, 7)).load().process(run, disk)


def test_other_systems(run: TestRun, disk: Artifact) -> None:
    """only_on= of another system does nothing and says so."""
    ShellLocal("exit 1", only_on=["windows"]).load().process(run, disk)
    assert any("not run" in event.text for event in run.events if isinstance(event, TaskMessage))


def test_a_cancel_ends_all_that_it_started(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """A script's own children go with it."""
    pids, started = tmp_path / "pids", tmp_path / "started"
    os.mkfifo(started)

    def cancel() -> None:
        started.read_text()
        run.cancellation.request()

    thread = threading.Thread(target=cancel)
    thread.start()
    line = f"sleep 600 & echo $! > {pids}; echo > {started}; wait"
    begin = time.monotonic()
    with pytest.raises(CancelledError):
        ShellLocal(line).load().process(run, disk)
    thread.join()
    assert time.monotonic() - begin < 60
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", pids.read_text().strip()], stdout=subprocess.PIPE, text=True, check=False
    )
    assert state.stdout[:1].strip() in ("", "Z")


def test_a_limit_of_time(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """A script whose time is up is killed with all that it started, and the error says which and when."""
    pid = tmp_path / "pid"
    spec = ShellLocal(f"sleep 600 & echo $! > {pid}; trap '' TERM; wait", timeout=1)
    with pytest.raises(PostProcessError, match="the inline script did not end within 1 s and was killed"):
        spec.load().process(run, disk)
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", pid.read_text().strip()], stdout=subprocess.PIPE, text=True, check=False
    )
    assert state.stdout[:1].strip() in ("", "Z")


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (ShellLocal(), ""),
        (ShellLocal("a", script="/etc/hostname"), ""),
        (ShellLocal(script="/nowhere/x"), "scripts[0]"),
        (ShellLocal("a", folder="/nowhere"), "folder"),
        (ShellLocal("a", env={"not a name": "x"}), "env"),
        (ShellLocal("a", only_on=["beos"]), "only_on[0]"),
        (ShellLocal("a", valid_exit_codes=[]), "valid_exit_codes"),
        (ShellLocal("a", valid_exit_codes=[300]), "valid_exit_codes"),
        (ShellLocal("a", interpreter=" "), "interpreter"),
        (ShellLocal("a", timeout=0), "timeout"),
    ],
    ids=str,
)
def test_check(spec: Any, where: str) -> None:
    """Each bad declaration is one problem at the right place."""
    (problem,) = spec.check()
    assert problem.where == where
