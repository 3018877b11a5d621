"""A build in QEMU, killed at many moments: nothing runs on, nothing is half there, and the next one goes on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy.artifacts.layers import LayerStore
from tests.execute.conftest import Builder
from tests.guests import Booted

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

MOMENTS = 10

CHAIN = ["boot", "step-1", "step-2", "capture", "deliver"]

_BUILD = """
import json, os, signal, sys
from pathlib import Path
import packerpy as pp
from packerpy import events
from packerpy.artifacts import journal, layers
from tests.guests import as_artifact

disk, folder, fatal = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
moments = 0

def counted(real):
    def call(*args, **kwargs):
        global moments
        result = real(*args, **kwargs)
        moments += 1
        if moments == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

journal.Journal.intend = counted(journal.Journal.intend)
layers.LayerStore.partial = counted(layers.LayerStore.partial)

source = pp.Qemu(disk=as_artifact(Path(disk)), memory="512 MiB", boot_timeout=900.0, shutdown="fast", generalize=False)
image = pp.Image("one", source, provision=[pp.Shell("echo a >> /order"), pp.Shell("echo b >> /order")])
done = []
def listen(event):
    if isinstance(event, events.TaskFinished) and event.status == "done":
        done.append(event.task.partition("/")[2])
pp.build(image, output=folder / "output", cache=folder / "cache", listeners=[listen])
print(json.dumps({"moments": moments, "done": done}))
"""


@attrs.frozen
class Killed:
    """Builds in processes of their own."""

    builder: Builder
    disk: Path

    def run(self, fatal: int = 0) -> subprocess.CompletedProcess[str]:
        """Build; killed at that moment."""
        command = [sys.executable, "-c", _BUILD, str(self.disk), str(self.builder.folder), str(fatal)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)

    def whole(self) -> dict[str, object]:
        """Build to the end; answers what was done, and how many moments there were."""
        ended = self.run()
        assert ended.returncode == 0, ended.stderr
        told: dict[str, object] = json.loads(ended.stdout)
        return told

    @property
    def store(self) -> LayerStore:
        """With the saved machines."""
        return LayerStore(self.builder.folder / "cache" / "layers")

    def forget_all_but(self, kept: frozenset[str]) -> None:
        """What was delivered or is stored goes, some layers excepted."""
        for key in self.store.keys() - kept:
            self.store.drop(key)
        shutil.rmtree(self.builder.folder / "output")
        shutil.rmtree(self.builder.folder / "cache" / "results", ignore_errors=True)

    def processes(self) -> list[str]:
        """Command lines that have to do with our folders."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it ended
                continue
            if str(self.builder.scratch) in line:
                found.append(line)
        return found


def test_killed_at_ten_moments(builder: Builder, base_disk: Path, booted: Booted) -> None:
    """Killed after the first step of each of ten acquisitions, in turn, always from the layer of the boot.

    Each time: no process is left after 10 s, no half layer and no half artifact is to be seen, `clean` removes what
    is left, and the next build succeeds without doing a step again whose layer was finished.
    """
    killed = Killed(builder, base_disk)
    booted.give(builder.folder / "cache")
    boot = frozenset([booted.key])
    told = killed.whole()
    assert told["done"] == CHAIN[1:]
    moments = int(str(told["moments"]))
    assert moments >= MOMENTS
    for number in range(MOMENTS):
        killed.forget_all_but(boot)
        ended = killed.run(1 + number * (moments - 1) // (MOMENTS - 1))
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        deadline = time.monotonic() + 10
        while killed.processes():
            assert time.monotonic() < deadline, killed.processes()
            time.sleep(0.05)
        output = builder.folder / "output"
        assert [path for path in output.glob("*/*") if not path.parent.name.startswith(".")] == []
        finished = killed.store.keys()
        assert killed.store.verify() == ()
        if number % 2:  # else the next build itself does it
            pp.clean(cache=builder.folder / "cache")
            assert builder.leftovers == []
        done = killed.whole()["done"]
        assert isinstance(done, list)
        assert CHAIN[len(finished) :][-len(done) :] == done, number
        assert finished <= killed.store.keys()
        assert builder.leftovers == []
