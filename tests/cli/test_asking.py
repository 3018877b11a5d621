"""Questions on a real terminal: what to do about a failure, a shell in the failed machine, stepping."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Cli
from tests.communicators.ssh.sshd_server import Sshd, sshd

__all__ = ["sshd"]

FAILS = """
import packerpy as pp



def bad(c):
    c.run("bad")


web = pp.Image("web", pp.Fake(content="in the machine", fail_on="bad"), provision=[pp.Shell("good"), bad])
"""


@pytest.fixture
def typed() -> Iterator[object]:
    """Runs the program on a terminal on which everything has been typed beforehand; answers code and all output."""
    ours, theirs = pty.openpty()

    def run(cli: Cli, text: str, *arguments: str) -> tuple[int, str]:
        os.write(ours, text.encode())
        ended = subprocess.run(
            [PROGRAM, *arguments],
            cwd=cli.folder,
            env=cli.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return ended.returncode, ended.stdout

    yield run
    os.close(ours)
    os.close(theirs)


def test_ask(cli: Cli, typed: object) -> None:
    """A letter that means nothing is asked again; retry; a shell in the machine; then clean up, and nothing is left."""
    cli.write(FAILS)
    answers = "x\nr\ns\ncat /content\nbad\nexit\nc\n"
    code, said = typed(cli, answers, "build", "images.py", "--on-error", "ask")  # type: ignore[operator]
    assert code == 1
    assert said.count("web: web/step-2 failed") == 2
    assert "in the machine" in said
    assert "(exit code 1)" in said
    assert "undone: machine" in said
    assert cli("clean", "--dry-run").out == "nothing was left behind\n"


def test_abort_and_clean(cli: Cli, typed: object) -> None:
    """What an abort left is named by `clean`, which removes it."""
    cli.write(FAILS)
    code, _ = typed(cli, "a\n", "build", "images.py", "--on-error", "ask")  # type: ignore[operator]
    assert code == 1
    assert "machine: would be removed" in cli("clean", "--dry-run").out
    assert "machine: removed" in cli("clean").out


def test_debug(cli: Cli, typed: object) -> None:
    """Stepping stops before each task; Enter goes on, a shell may be had, `a` cancels and undoes."""
    cli.write(FAILS)
    code, said = typed(cli, "\n\ns\ncat /content\nexit\na\n", "build", "images.py", "--debug")  # type: ignore[operator]
    assert code == 130
    assert [line for line in said.splitlines() if "stopped at" in line] == [
        "web: stopped at web/boot: boot fake",
        "web: stopped at web/step-1: run good",
        "web: stopped at web/step-2: bad()",
    ]
    assert "in the machine" in said
    assert "web/step-2: done" not in said


@pytest.mark.parametrize("option", [("--on-error", "ask"), ("--debug",)])
def test_no_terminal(cli: Cli, option: tuple[str, ...]) -> None:
    """Where nobody can answer, nothing is asked, and nothing is begun."""
    cli.write(FAILS)
    refused = cli("build", "images.py", *option)
    assert refused.code == 2
    assert "needs a terminal" in refused.err


@pytest.mark.parametrize("known", [True, False])
def test_a_shell_by_ssh(sshd: Sshd, tmp_path: Path, known: bool) -> None:
    """The system's ssh is given the build's key and the host keys that the build knows, and refuses others."""
    sshd.start()
    endpoint = sshd.machine().endpoint
    keys = endpoint.host_keys if known else (sshd.user_key.public,)
    script = tmp_path / "shell.py"
    script.write_text(
        "from packerpy.cli.guest_shell import open_shell\n"
        "from pathlib import Path\nfrom packerpy.values import Endpoint, Machine\nimport packerpy as pp\n"
        f"e = Endpoint(host={endpoint.host!r}, port={endpoint.port}, "
        f"user={endpoint.user!r}, key_file=Path({str(endpoint.key_file)!r}), "
        f"host_keys={keys!r})\n"
        "open_shell(Machine(id='x', endpoint=e, communicator=pp.SSH()), None)\n"
    )
    ended = subprocess.run(
        [sys.executable, script], input="echo $((6*7)) >&2\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert ("42" in ended.stderr) is known, ended.stderr
    assert ("verification failed" in ended.stderr) is not known
