"""A real build of a base image, killed in the middle: the kernel ends every program of it, and clean removes the rest."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import packerpy as pp

pytestmark = pytest.mark.live

_SCRIPT = """
import sys
from pathlib import Path
import packerpy as pp
from packerpy import events

def listener(event):
    if isinstance(event, events.TaskStarted):
        print("STARTED", event.task, flush=True)

def busy(run, channel):
    from packerpy.values import Command
    channel.run(Command(line="echo in the tree; sleep 600"), sink=lambda stream, text: print("STEP", flush=True))

from packerpy.testing.specs import Steps
base = pp.Image("base", pp.Bootstrap(suite="bookworm", slim=True), provision=[Steps(busy)])
pp.build(base, output=Path(sys.argv[1]) / "output", listeners=[listener])
"""


def _tree_of(pid: int) -> set[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = set(), [pid]
    while waiting:
        current = waiting.pop()
        found.add(current)
        waiting += children.get(current, [])
    return found


@pytest.mark.parametrize("moment", ["mmdebstrap", "step"])
def test_a_killed_build_leaves_nothing(tmp_path, own_cache, monkeypatch, moment):
    """SIGKILL while packages are installed, or while a step runs in the tree: no process, mount or output is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", _SCRIPT, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "STARTED base/boot\n"
        if moment == "mmdebstrap":
            deadline = time.monotonic() + 300
            while not list(own_cache.glob("trees/*/**/var/lib/dpkg/info/*.list")):  # dpkg is at work in the tree
                assert time.monotonic() < deadline
                select.select([], [], [], 0.1)
        else:
            assert child.stdout.readline() == "STARTED base/step-1\n"
            assert child.stdout.readline() == "STEP\n"
        below = {pid: os.pidfd_open(pid) for pid in _tree_of(child.pid) - {child.pid}}
        assert below
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    for pid, descriptor in below.items():
        ended = select.select([descriptor], [], [], 10)[0]
        os.close(descriptor)
        assert ended, f"process {pid} outlived packerpy"
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(tmp_path) not in mounts
    assert str(own_cache) not in mounts
    assert not (tmp_path / "output" / "base").exists()
    pp.clean()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("packerpy-")] == []
    assert list((tmp_path / "output").iterdir()) == []
    assert list((own_cache / "trees").iterdir()) == []
