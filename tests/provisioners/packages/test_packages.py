"""What package managers are told; that they do it is seen in live tests: apt's in that of examples, dnf's beside this."""

from __future__ import annotations

import pytest

import packerpy as pp
from packerpy.errors import ProvisionError
from packerpy.events import TaskMessage
from packerpy.provisioners.packages.managers import FIND
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine
from tests.communicators.ssh.sshd_server import Sshd

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH())
APT = (
    "apt-get -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
    " -o DPkg::Lock::Timeout=300"
)


@pytest.mark.parametrize(
    ("program", "lines"),
    [
        (
            "apt-get",
            [
                f"{APT} update",
                f"{APT} dist-upgrade",
                f"{APT} purge -- old",
                f"{APT} --no-install-recommends install -- nginx 'curl=7.*'",
                "apt-get clean",
            ],
        ),
        (
            "dnf",
            [
                "dnf -y makecache",
                "dnf -y upgrade",
                "dnf -y remove old",
                "dnf -y --setopt=install_weak_deps=0 install nginx 'curl=7.*'",
                "dnf clean all",
            ],
        ),
        (
            "apk",
            [
                "apk --no-progress --wait 300 update",
                "apk --no-progress --wait 300 upgrade",
                "apk --no-progress --wait 300 del --purge old",
                "apk --no-progress --wait 300 add nginx 'curl=7.*'",
                "rm -rf /var/cache/apk/APKINDEX.tar.gz",
            ],
        ),
    ],
)
def test_what_is_told_to_which(run: TestRun, program: str, lines: list[str]) -> None:
    """The whole of it, in order, as root, without questions."""
    channel = RecordingChannel({"^for m in": Completed(exit_status=0, stdout=program + "\n")})
    pp.Packages("nginx", ["curl=7.*"], remove="old", upgrade=True).load().apply(run, MACHINE, channel)
    assert [command.line for command in channel.commands[1:]] == lines
    assert all(command.sudo and command.env["DEBIAN_FRONTEND"] == "noninteractive" for command in channel.commands[1:])


def test_the_host_s_own_manager_is_found(sshd: Sshd, run: TestRun, channel: RecordingChannel) -> None:
    """A real shell answers with what this Debian has."""
    assert channel.run(Command(line=FIND)).stdout == "apt-get\n"


def test_none_is_found(run: TestRun) -> None:
    """A guest without any of them says so."""
    with pytest.raises(ProvisionError, match="none of apt, dnf and apk"):
        pp.Packages("x").load().apply(run, MACHINE, RecordingChannel({"^for m in": Completed(exit_status=1)}))


class Locked(RecordingChannel):
    """A database that is in use at the first try."""

    tries = 0

    def run(self, command: Command, **_: object) -> Completed:  # type: ignore[override]
        self.tries += 1
        if self.tries == 1:
            return Completed(exit_status=100, stderr="E: Could not get lock /var/lib/apt/lists/lock")
        return super().run(command)


def test_a_locked_database_is_waited_for(run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command is tried again until the lock is free."""
    monkeypatch.setattr("packerpy.provisioners.packages.worker._PAUSE", 0.01)
    channel = Locked()
    pp.Packages("x", manager="apt", update=False, clean=False).load().apply(run, MACHINE, channel)
    assert channel.tries == 2
    assert any("in use" in event.text for event in run.events if isinstance(event, TaskMessage))


def test_a_lock_that_stays(run: TestRun) -> None:
    """After its time the manager's own words are told."""
    locked = Completed(exit_status=100, stderr="E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by 1")
    with pytest.raises(ProvisionError, match="exit code 100") as caught:
        pp.Packages("x", manager="apt", lock_timeout=0).load().apply(run, MACHINE, RecordingChannel({"apt": locked}))
    assert "held by 1" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.Packages("-o Evil"), "names"),
        (pp.Packages("a b"), "names"),
        (pp.Packages(remove="--all"), "remove"),
        (pp.Packages("a", manager="pip"), "manager"),  # type: ignore[arg-type]
        (pp.Packages(update=False), ""),
        (pp.Packages("a", lock_timeout=-1), "lock_timeout"),
    ],
)
def test_problems(spec: pp.Packages, where: str) -> None:
    """Each bad value is reported at its place."""
    assert [problem.where for problem in spec.check()] == [where]
