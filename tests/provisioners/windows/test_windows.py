"""What Windows machines are told; there is none here, so a channel records it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.contracts import OutputSink
from packerpy.errors import CommunicatorError, ProvisionError
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(), communicator=pp.SSH())
SECRET = pp.Secret(value="it's-hunter2")


def decoded(line: str) -> str:
    """What an encoded command line runs."""
    return base64.b64decode(line.rpartition(" ")[2]).decode("utf-16-le")


def files(channel: RecordingChannel) -> dict[str, str]:
    """Ending of a file's name → content."""
    return {path.name[len("packerpy-") + 16 :]: content.decode("utf-8-sig") for path, content in channel.files.items()}


def test_powershell_lines(run: TestRun) -> None:
    """Files for variables and script, a command line without either, everything removed."""
    channel = RecordingChannel()
    spec = pp.PowerShell(["Get-Thing", "tool.exe"], env={"TOKEN": SECRET})
    spec.load().apply(run, MACHINE, channel)
    sent = files(channel)
    assert "$env:TOKEN = 'it''s-hunter2'\r\n" in sent["-env.ps1"]
    assert sent[".ps1"].startswith("$ErrorActionPreference = 'Stop'\r\n")
    assert "Get-Thing\r\nif ($LASTEXITCODE) { exit $LASTEXITCODE }\r\ntool.exe\r\nif" in sent[".ps1"]
    start, removal = channel.commands
    assert start.line.startswith("powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy bypass")
    assert "-env.ps1'; " in decoded(start.line)
    assert "exit $LASTEXITCODE" in decoded(start.line)
    assert "Remove-Item -Force" in decoded(removal.line)
    assert not any("hunter2" in decoded(command.line) for command in channel.commands)
    assert list(run.workdir.iterdir()) == []


def test_powershell_scripts(run: TestRun, tmp_path: Path) -> None:
    """A script is sent as it is; PowerShell 7 and another policy if declared."""
    (tmp_path / "a.ps1").write_text("Write-Output 'ä'\n", encoding="utf-8-sig")
    channel = RecordingChannel()
    pp.PowerShell(scripts=tmp_path / "a.ps1", pwsh=True, execution_policy="remotesigned").load().apply(
        run, MACHINE, channel
    )
    assert files(channel)[".ps1"] == "Write-Output 'ä'\n"
    assert channel.commands[0].line.startswith("pwsh.exe ")
    assert "-ExecutionPolicy remotesigned" in channel.commands[0].line


def test_elevated(run: TestRun) -> None:
    """A scheduled task with the user's password, which stands in a file; SYSTEM needs none."""
    channel = RecordingChannel()
    pp.PowerShell("a", elevated_user="adm'in", elevated_password=SECRET).load().apply(run, MACHINE, channel)
    wrapper = files(channel)["-elevated.ps1"]
    assert "-User 'adm''in' -Password 'it''s-hunter2' -RunLevel Highest" in wrapper
    assert "Unregister-ScheduledTask" in wrapper
    assert "-elevated.ps1'" in decoded(channel.commands[0].line)
    system = RecordingChannel()
    pp.PowerShell("a", elevated_user="SYSTEM").load().apply(run, MACHINE, system)
    assert "New-ScheduledTaskPrincipal -UserId 'SYSTEM'" in files(system)["-elevated.ps1"]


def test_windows_shell(run: TestRun) -> None:
    """One batch file; percent signs of values stay what they are."""
    channel = RecordingChannel()
    pp.WindowsShell(["dir", "ver"], env={"A": "100%"}).load().apply(run, MACHINE, channel)
    sent = files(channel)[".bat"]
    assert '@set "A=100%%"\r\n' in sent
    assert sent.endswith("dir\r\nver\r\n")
    assert channel.commands[0].line.startswith('cmd.exe /c "C:\\Windows\\Temp\\packerpy-')


@pytest.mark.parametrize("kind", [pp.PowerShell, pp.WindowsShell])
def test_exit_codes(run: TestRun, kind: Any) -> None:
    """Another one than declared fails the step; Windows' large codes can be declared."""
    channel = RecordingChannel({"bypass -Enc|cmd.exe": Completed(exit_status=3010, stderr="restart me")})
    with pytest.raises(ProvisionError, match="exit code 3010") as caught:
        kind("a").load().apply(run, MACHINE, channel)
    assert "restart me" in str(caught.value)
    kind("a", valid_exit_codes=[0, 3010]).load().apply(run, MACHINE, channel)


class Windows(RecordingChannel):
    """A machine that restarts: some looks at the old boot, silence, then the new one, and something pending at first."""

    looks, pending = 3, 2

    def reconnect(self, timeout: float) -> None:
        self.looks -= 1
        if self.looks == 1:
            raise CommunicatorError("not yet")

    def run(self, command: Command, *, sink: OutputSink | None = None) -> Completed:
        self.commands.append(command)
        if "Encoded" not in command.line:
            return Completed(exit_status=0)
        script = decoded(command.line)
        if "LastBootUpTime" in script:
            return Completed(exit_status=0, stdout="1\r\n" if self.looks > 0 else "2\r\n")
        self.pending -= 1
        return Completed(exit_status=int(self.pending > 0))


def test_restart(run: TestRun) -> None:
    """Until the machine was booted at another time, and nothing is pending any more."""
    channel = Windows()
    pp.WindowsRestart(check_registry=True, ready_command="Get-Service x").load().apply(run, MACHINE, channel)
    assert channel.commands[1].line == 'shutdown /r /f /t 0 /c "packerpy restart"'
    assert channel.pending == 0
    last = decoded(channel.commands[-1].line)
    assert "RebootPending') { exit 1 }" in last
    assert last.endswith("Get-Service x")


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.PowerShell(), ""),
        (pp.PowerShell("a", scripts="/nowhere.ps1"), ""),
        (pp.PowerShell(scripts="/nowhere.ps1"), "scripts[0]"),
        (pp.PowerShell("a", env={"a-b": "c"}), "env"),
        (pp.PowerShell("a", execution_policy="none"), "execution_policy"),
        (pp.PowerShell("a", elevated_password="x"), "elevated_user"),
        (pp.PowerShell("a", elevated_user="x"), "elevated_password"),
        (pp.WindowsShell("a", valid_exit_codes=[-1]), "valid_exit_codes"),
        (pp.WindowsShell("a", remote_folder=" "), "remote_folder"),
        (pp.WindowsRestart(command=""), "command"),
        (pp.WindowsRestart(ready_command=" "), "ready_command"),
        (pp.WindowsRestart(timeout=0), "timeout"),
    ],
)
def test_problems(spec: Any, where: str) -> None:
    """Each bad value is reported at its place."""
    assert where in [problem.where for problem in spec.check()]
