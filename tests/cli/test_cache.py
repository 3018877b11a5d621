"""``packerpy cache``."""

import os

from packerpy.artifacts.record import stamp
from tests.cli.conftest import Cli

_LAYERED = """
import packerpy as pp

def step(c):
    c.run("echo hello")

web = pp.Image("web", pp.Fake(layers="live"), provision=[step])
"""


def test_ls_show_verify_prune(cli: Cli) -> None:
    """They are listed with their titles, a damaged one is found and dropped, and prune drops the rest."""
    assert cli("cache", "ls").out == ""
    file = cli.write(_LAYERED)
    assert cli("build", file).code == 0
    listed = [line.split() for line in cli("cache", "ls").out.splitlines()]
    assert [(line[1], line[-1]) for line in listed] == [
        ("machine", "fake"),
        ("machine", "step()"),
        ("result", "capture"),
    ]
    shown = cli("cache", "show", listed[2][0][:8]).out
    assert f"result {listed[2][0]}" in shown
    assert "files/web.tar" in shown
    assert "no key begins with 'x'" in cli("cache", "show", "x").err
    assert "several keys begin with ''" in cli("cache", "show", "").err
    assert cli("cache", "verify").out == "3 good, 0 dropped\n"
    log = next((cli.folder / "cache" / "layers").rglob("commands.log"))
    log.write_text("damaged")
    assert "2 good, 1 dropped" in cli("cache", "verify").out
    assert cli("cache", "prune").code == 0
    assert cli("cache", "ls").out == ""


def test_verify_reads_what_was_stored(cli: Cli) -> None:
    """Damage that changes neither size nor times is found too."""
    assert cli("build", cli.write(_LAYERED)).code == 0
    log = next((cli.folder / "cache" / "layers").rglob("commands.log"))
    before, seen = log.stat(), stamp(log)
    log.write_bytes(b"x" * before.st_size)
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stamp(log) == seen
    assert "2 good, 1 dropped" in cli("cache", "verify").out


def test_second_build_restores(cli: Cli) -> None:
    """The plan after an edit says from which layer the machine is restored."""
    file = cli.write(_LAYERED)
    assert cli("build", file).code == 0
    file.write_text(_LAYERED.replace("provision=[step]", "provision=[step, step]"))
    printed = cli("plan", file).out
    assert "restore" in printed
    assert "layer 2 of 3" in printed


def test_doing_again_and_asking_why(cli: Cli) -> None:
    """--from and --no-cache plan what they say; why names the input that changed."""
    file = cli.write(_LAYERED)
    assert cli("build", file).code == 0
    printed = cli("plan", file, "--from", "step-1").out
    assert "restore" in printed
    assert "[asked for]" in printed
    assert "0 to re-use" in cli("plan", file, "--no-cache").out
    assert "cannot be run" not in cli("plan", file, "--only-post").err
    file.write_text(_LAYERED.replace("hello", "goodbye"))
    told = cli("why", file, "web").out
    assert told.startswith("web/step-1  step()")
    assert "changed: step(): call  " in told
    assert "none of its own inputs changed" in cli("why", file, "web", "boot").out
    assert "no task is called 'web/nothing'" in cli("why", file, "web", "nothing").err
