"""What of Ansible is left when it is killed."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from packerpy.kit.process import spawn, stop
from packerpy.provisioners.ansible.from_host import find_program
from packerpy.provisioners.ansible.launch import tied_workers


def worker_of(playbook: int) -> int:
    """The pid of a worker that has made its session."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for pid in Path(f"/proc/{playbook}/task/{playbook}/children").read_text().split():
            if os.getsid(int(pid)) != playbook:
                return int(pid)
        time.sleep(0.05)
    raise AssertionError("there is no worker")


def test_workers_end_with_their_playbook(tmp_path: Path) -> None:
    """The playbook's process is killed alone, as when packerpy is; its worker ends at that moment."""
    playbook = tmp_path / "slow.yml"
    playbook.write_text(
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.pause: {seconds: 3600}\n"
    )
    env = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    argv = [*tied_workers(find_program("ansible-playbook")), "-i", "localhost,", str(playbook)]
    process = spawn(argv, env=env, stdout=subprocess.DEVNULL)
    try:
        worker = os.pidfd_open(worker_of(process.pid))
        process.kill()
        process.wait()
        assert select.select([worker], [], [], 30)[0]
        os.close(worker)
    finally:
        stop(process)


def test_other_programs_are_started_as_they_are(tmp_path: Path) -> None:
    """A wrapper that is no Python script is left alone."""
    wrapper = tmp_path / "ansible-playbook"
    wrapper.write_text("#!/bin/sh\nexec ansible-playbook\n")
    assert tied_workers(str(wrapper)) == [str(wrapper)]
    assert tied_workers("/bin/true") == ["/bin/true"]
