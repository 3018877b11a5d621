"""Real Ansible on every way that the build itself can go, in network namespaces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.errors import ProvisionError
from packerpy.testing import TestRun
from packerpy.values import Machine
from tests.communicators.ssh.network import Network
from tests.communicators.ssh.password_server import PASSWORD
from tests.communicators.ssh.sshd_server import Sshd

pytestmark = pytest.mark.root


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """Says who was logged in and from where, and looks for the password in the command lines of this host."""
    path = tmp_path / "who.yml"
    path.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.raw: echo I am $(id -un) from ${SSH_CONNECTION%% *}\n      register: who\n"
        "    - ansible.builtin.debug: {var: who.stdout}\n"
        "    - ansible.builtin.raw: grep -asl 'ct h[o]rse' /proc/[0-9]*/cmdline\n"
        "      register: seen\n      failed_when: \"'cmdline' in seen.stdout\"\n"
    )
    return path


def play(run: TestRun, spec: pp.SSH, machine: Machine, playbook: Path, **options: Any) -> str:
    """As in a build whose channel goes the same way; answers what Ansible said."""
    channel = spec.load().connect(run, machine)
    try:
        step = pp.Ansible(playbook, python=sys.executable, **options)
        step.load().apply(run, pp_machine(machine, spec), channel)
    finally:
        channel.close()
    assert [path.name for path in run.workdir.glob("a-*")] == []
    return run.printed


def pp_machine(machine: Machine, spec: pp.SSH) -> Machine:
    """The machine as a source with this communicator tells of it."""
    return Machine(id=machine.id, endpoint=machine.endpoint, communicator=spec)


def test_through_a_bastion(network: Network, run: TestRun, playbook: Path) -> None:
    """With the bastion's own key and the pinned keys of both; nothing of it stays there."""
    network.bastion.start()
    network.machine_sshd.start()
    spec = pp.SSH(bastions=network.hop(), timeout=20)
    assert f"I am root from {network.inside}" in play(run, spec, network.machine, playbook)


def test_through_a_proxy(network: Network, run: TestRun, playbook: Path) -> None:
    """A SOCKS server with a login of its own."""
    network.at_gate("microsocks", "-p", "1080", "-u", "me", "-P", "s3cret-word", listens=1080)
    network.machine_sshd.start()
    proxy = pp.Proxy(host=network.outside, user="me", password=pp.Secret(value="s3cret-word"))
    spec = pp.SSH(proxy=proxy, timeout=20)
    assert f"I am root from {network.inside}" in play(run, spec, network.machine, playbook)


def test_a_wrong_host_key_behind_a_bastion(network: Network, run: TestRun, playbook: Path) -> None:
    """The machine's key is looked at at the end of the way, too."""
    network.bastion.start()
    network.machine_sshd.start()
    spec = pp.SSH(bastions=network.hop(), timeout=20)
    channel = spec.load().connect(run, network.machine)
    wrong = pp_machine(network.machine_sshd.machine(host_keys=(network.bastion.host_key.public,)), spec)
    with pytest.raises(ProvisionError) as caught:
        pp.Ansible(playbook, python=sys.executable).load().apply(run, wrong, channel)
    channel.close()
    assert "Host key verification failed" in str(caught.value)


def test_by_a_password(passwords: Sshd, run: TestRun, playbook: Path) -> None:
    """Asked for plainly or in a dialogue; it is in no command line and in no output, and its file is gone."""
    spec = pp.SSH(user="tester", password=pp.Secret(value=PASSWORD), timeout=20)
    printed = play(run, spec, passwords.machine(key_file=None), playbook)
    assert "I am tester from 127.0.0.1" in printed
    assert PASSWORD not in printed


def test_by_a_wrong_password(passwords: Sshd, run: TestRun, playbook: Path) -> None:
    """It is tried and refused; nobody waits for somebody to type another."""
    good = pp.SSH(user="tester", password=PASSWORD, timeout=20)
    channel = good.load().connect(run, passwords.machine(key_file=None))
    machine = pp_machine(passwords.machine(key_file=None), pp.SSH(user="tester", password="wrong-wrong"))
    with pytest.raises(ProvisionError) as caught:
        pp.Ansible(playbook, python=sys.executable).load().apply(run, machine, channel)
    channel.close()
    assert "Permission denied" in str(caught.value)
    assert "wrong-wrong" not in str(caught.value)
