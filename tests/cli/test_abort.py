"""A failed build that leaves its machine in QEMU, which lives on when packerpy has ended, until its user cleans up."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from packerpy.backends.qemu.guest import find_process
from tests.cli.conftest import Cli
from tests.communicators.processes import await_death

NOBODY_ANSWERS = """
import packerpy as pp

source = pp.Qemu(disk="blank.qcow2", memory="64 MiB", cpus=1, accelerator="tcg", boot_timeout=3, communicator=pp.SSH())
web = pp.Image("web", source)
"""


def test_the_machine_lives_on(cli: Cli) -> None:
    """How to get into it is told, with the build's key; other builds let it be; `clean` names and ends it."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", cli.folder / "blank.qcow2", "64M"], check=True)
    cli.write(NOBODY_ANSWERS)
    ended = cli("build", "images.py", "--on-error", "abort")
    assert ended.code == 1
    found = re.search(
        r"the machine (\S+) runs on, until `packerpy clean`; reach it by: (ssh .* 127\.0\.0\.1)\n", ended.err
    )
    assert found is not None, ended.err
    pid = find_process(found[1])
    assert pid is not None, "QEMU has ended with packerpy"
    words = shlex.split(found[2])
    assert Path(words[words.index("-i") + 1]).read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY")
    (known,) = (word.partition("=")[2] for word in words if word.startswith("UserKnownHostsFile="))
    assert Path(known).read_text().startswith("[127.0.0.1]:" + words[words.index("-p") + 1])
    cli.write('import packerpy as pp\n\nother = pp.Image("other", pp.Fake())\n', "other.py")
    assert cli("build", "other.py").code == 0
    assert find_process(found[1]) == pid
    assert f"machine {found[1]}: would be removed" in cli("clean", "--dry-run").out
    assert f"machine {found[1]}: removed" in cli("clean").out
    await_death(pid)
    assert cli("clean").out == "nothing was left behind\n"
