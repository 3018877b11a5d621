"""Ways to an instance: a Session Manager tunnel, simulated but for the TCP that it carries, and the password of Windows."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.backends.amazon.errors import NoDataChannel, NoPassword
from packerpy.backends.amazon.reach import port
from packerpy.testing import RecordingChannel, TestRun, make_run
from tests.backends.amazon import moto_sessions, session_plugin
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import ebs, remove_images
from tests.communicators.ssh.sshd_server import Sshd

_USER = pwd.getpwuid(os.getuid()).pw_name
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["ssm:UpdateInstanceInformation"], "Resource": "*"}],
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is simulated is there at the second look."""
    monkeypatch.setattr("packerpy.backends.amazon.steps.session._PAUSE", 0.01)
    monkeypatch.setattr("packerpy.backends.amazon.password._PAUSE", 0.01)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: Moto, sshd: Sshd) -> Iterator[Path]:
    """The stand-in in PATH; answers the file in which it says how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "session-manager-plugin"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {session_plugin.__file__} "$@"\n')
    program.chmod(0o755)
    record = tmp_path / "plugin.json"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_RECORD", str(record))
    (moto.folder / "session_target").write_text(str(sshd.port))
    yield record
    if record.exists():
        assert not Path(f"/proc/{json.loads(record.read_text())['pid']}").exists(), "it lives on"


def tunnelled(moto: Moto, **more: Any) -> pp.amazon.EBS:
    """A declaration with a tunnel."""
    values = {"communicator": None, "user": _USER, "ssh_interface": "session_manager", "temporary_policy": POLICY}
    return ebs(moto, **{**values, **more})


def test_a_build_through_a_tunnel(moto: Moto, plugin: Path, tmp_path: Path) -> None:
    """Role, profile, session and program are there for the build only; the step really ran behind the tunnel; no port is open."""
    before = moto.inventory()
    rules: list[Any] = []

    def look(c: Any) -> None:
        groups = moto.client("ec2").describe_security_groups()["SecurityGroups"]
        rules.extend(rule for group in groups if "packerpy" in group["GroupName"] for rule in group["IpPermissions"])
        c.run(f"echo behind > {tmp_path}/done")

    image = pp.Image("web", source=tunnelled(moto, ami_name="tunnel"), provision=[look])
    seen: list[str] = []
    result = pp.build(image, output=tmp_path / "output", listeners=[lambda event: seen.append(str(event))])
    assert (tmp_path / "done").read_text() == "behind\n"
    assert rules == []
    called = plugin.read_text()
    assert "token-of" not in called
    assert "token-of" not in "".join(seen)
    (artifact,) = result.artifacts["web"]
    remove_images(moto, artifact)
    assert moto.inventory() == before


def test_every_request(moto: Moto, plugin: Path, faults: Faults, tmp_path: Path) -> None:
    """Each request is refused in turn, or the process dies after it: no session, role, profile or program is left."""
    spec = tunnelled(moto)

    def work(run: TestRun) -> None:
        machine = spec.load().boot(run)
        assert (machine.endpoint.host, machine.endpoint.port > 0) == ("127.0.0.1", True)

    hit = through_all_faults(moto, faults, tmp_path / "runs", work, lambda _: None)
    wanted = {"ssm.StartSession", "ssm.TerminateSession", "iam.CreateRole", "iam.AddRoleToInstanceProfile"}
    assert wanted <= set(hit["kill"])


def test_the_program_fails(
    moto: Moto, plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_left: None
) -> None:
    """Its own words are told, and the session is ended."""
    monkeypatch.setenv("STAND_IN_FAILS", "1")
    with pytest.raises(NoDataChannel, match="cannot reach the data channel"):
        pp.build(pp.Image("web", source=tunnelled(moto)), output=tmp_path / "output")


def test_the_program_is_old_or_missing(
    moto: Moto, plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_left: None
) -> None:
    """Known before anything is made; one that takes the token on its command line is too old."""
    monkeypatch.setenv("STAND_IN_VERSION", "1.2.497.0")
    with pytest.raises(pp.ValidationError, match="too old"):
        pp.build(pp.Image("web", source=tunnelled(moto)), output=tmp_path / "output")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(pp.ValidationError, match=r"session-manager-plugin.*is not installed"):
        pp.build(pp.Image("web", source=tunnelled(moto)), output=tmp_path / "output")


def test_the_password_of_windows(moto: Moto, tmp_path: Path, nothing_left: None) -> None:
    """It comes encrypted for the temporary RSA key, is used to log in, and is told nobody."""
    spec = ebs(moto, communicator=pp.WinRM(tls=True, insecure=True), ingress=["198.51.100.7/32"])
    assert list(spec.check()) == []
    run = make_run(tmp_path)
    machine = spec.load().boot(run)
    communicator: Any = machine.communicator
    assert (communicator.user, communicator.password.value) == ("Administrator", moto_sessions.PASSWORD)
    assert moto_sessions.PASSWORD not in repr(machine)
    assert port(spec) == 5986
    run.say(f"it is {moto_sessions.PASSWORD}")
    assert moto_sessions.PASSWORD not in str(run.events)
    assert moto_sessions.PASSWORD not in "".join(entry.fields for entry in run.journal.entries())
    assert run.close(failed=True) == ()


def test_no_password(moto: Moto, tmp_path: Path, nothing_left: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that makes none ends in an error that says why, and one for another key too."""
    from packerpy.backends.amazon import api

    call = api.Cloud.call
    answers = {"PasswordData": ""}

    def never(self: Any, operation: str, **more: Any) -> Any:
        return answers if operation == "ec2.GetPasswordData" else call(self, operation, **more)

    monkeypatch.setattr(api.Cloud, "call", never)
    source = ebs(moto, communicator=pp.WinRM(), password_timeout=0.05, ingress=["198.51.100.7/32"]).load()
    for told, why in (("", "EC2Launch"), ("AAAA", "cannot be decrypted")):
        answers["PasswordData"] = told
        (tmp_path / why).mkdir()
        run = make_run(tmp_path / why)
        with pytest.raises(NoPassword, match=why):
            source.capture(run, source.boot(run), RecordingChannel())
        run.close(failed=True)
