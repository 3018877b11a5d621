"""The command line by which people get into a machine that was left for them."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy.contracts import TellsTheWay
from packerpy.values import Endpoint
from tests.communicators.ssh.sshd_server import Sshd


@pytest.mark.parametrize("spec", [pp.SSH(), pp.GuestAgent()], ids=["ssh", "agent"])
def test_the_command_works_as_it_stands(sshd: Sshd, spec: TellsTheWay, tmp_path: Path) -> None:
    """With the build's key and the known host key, whatever the channel of the build is; another host key is refused."""
    sshd.start()
    machine = sshd.machine()
    line = spec.by_hand(machine, tmp_path)
    assert line is not None
    said = subprocess.run([*shlex.split(line), "echo $((6*7))"], capture_output=True, text=True, check=False)
    assert said.stdout == "42\n", said.stderr
    other = attrs.evolve(machine, endpoint=attrs.evolve(machine.endpoint, host_keys=(sshd.user_key.public,)))
    refused = spec.by_hand(other, tmp_path)
    assert refused is not None
    said = subprocess.run([*shlex.split(refused), "true"], capture_output=True, text=True, check=False)
    assert "verification failed" in said.stderr


def test_what_is_declared_counts(sshd: Sshd, tmp_path: Path) -> None:
    """Own address, user, keys and bastions are in it; a password never."""
    bastion = pp.Bastion(host="192.0.2.9", user="gate", password="hush-hush")
    spec = pp.SSH(
        host="192.0.2.1", port=22, user="me", password="hush-hush", bastions=bastion, host_keys="ssh-rsa AAAA"
    )
    line = spec.by_hand(sshd.machine(), tmp_path)
    assert line is not None
    assert line.endswith("-J gate@192.0.2.9:22 192.0.2.1")
    assert "-p 22 -l me " in line
    assert "hush" not in line
    assert (tmp_path / "known_hosts").read_text().startswith("192.0.2.1 ssh-rsa AAAA\n")


def test_where_there_is_no_way(sshd: Sshd, tmp_path: Path) -> None:
    """No command rather than one that cannot work: without an address, through a proxy, by an agent without a key."""
    nowhere = attrs.evolve(sshd.machine(), endpoint=Endpoint())
    assert pp.SSH().by_hand(nowhere, tmp_path) is None
    assert pp.GuestAgent().by_hand(nowhere, tmp_path) is None
    assert pp.SSH(proxy=pp.Proxy(host="192.0.2.9")).by_hand(sshd.machine(), tmp_path) is None
