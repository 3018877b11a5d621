"""Namespaces, as root or as whoever runs the tests."""

import os
import subprocess
import sys
from pathlib import Path

from packerpy.kit import namespaces, process


def test_mounts_stay_inside(tmp_path: Path) -> None:
    """A mount is seen by the command itself and by nobody else."""
    line = 'mount -t tmpfs x "$1" && grep -c "$1" /proc/self/mounts'
    assert process.call(namespaces.isolated(["sh", "-c", line, "sh", tmp_path])).text == "1"
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_an_ordinary_user_becomes_root_of_a_user_namespace() -> None:
    """Without root the command line asks for a user namespace, and again for the parent-death signal."""
    argv = namespaces.isolated(["true"], root=False)
    assert argv.index("--user") < argv.index("--pdeathsig") < argv.index("--pid")
    assert "--user" not in namespaces.isolated(["true"], root=True)


def test_this_host_has_them() -> None:
    """The host that runs the tests gives us namespaces; a host that does not would name what to do."""
    assert list(namespaces.problems()) == []


def test_no_process_outlives_us() -> None:
    """When the process that started it is killed, all in the namespace is gone with it."""
    nap = str(70000000 + os.getpid())
    script = (
        "import os, signal\n"
        "from packerpy.kit import namespaces, process\n"
        f"p = process.spawn(namespaces.isolated(['sh', '-c', 'sleep {nap} & echo ready; wait']), stdout=1)\n"
        "p.wait()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.kill()
    # The pipe is held by all of them: its end is the end of the last one.
    assert child.stdout.read() == b""
    child.wait()
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert f"sleep\0{nap}\0".encode() not in running
