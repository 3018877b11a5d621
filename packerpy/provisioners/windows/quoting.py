"""PowerShell's and cmd's words."""

from __future__ import annotations

import base64
from collections.abc import Mapping

LAST_BOOT = "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.Ticks"
"""Differs from one start of the machine to the next."""


def quoted(text: str) -> str:
    """A PowerShell string in which nothing is replaced."""
    return "'" + text.replace("'", "''") + "'"


def encoded(script: str, *, program: str = "powershell.exe", policy: str = "bypass") -> str:
    """A command line that needs no quotes, whichever shell reads it; everybody may read what it runs."""
    data = base64.b64encode(f"$ProgressPreference = 'SilentlyContinue'; {script}".encode("utf-16-le")).decode()
    return f"{program} -NoLogo -NoProfile -NonInteractive -ExecutionPolicy {policy} -EncodedCommand {data}"


def assignments(env: Mapping[str, str]) -> str:
    """PowerShell that sets environment variables."""
    return "".join(f"$env:{name} = {quoted(value)}\r\n" for name, value in env.items())


def batch_assignments(env: Mapping[str, str]) -> str:
    """The same for cmd."""
    return "".join(f'@set "{name}={value.replace("%", "%%")}"\r\n' for name, value in env.items())


STOP_AT_FAILURE = """\
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
$global:LASTEXITCODE = 0
"""
"""For lines: the first cmdlet that fails ends them; in PowerShell 7.4 and later, a program, too."""

AFTER_LINE = "if ($LASTEXITCODE) { exit $LASTEXITCODE }\r\n"
"""For programs in older ones."""


def starting(variables: str, script: str) -> str:
    """PowerShell that reads the variables and runs a script; its exit code is the script's."""
    return (
        f"try {{ . {quoted(variables)}; $global:LASTEXITCODE = 0; & {quoted(script)}; exit $LASTEXITCODE }} "
        "catch { [Console]::Error.WriteLine(($_ | Out-String)); exit 1 }"
    )


def elevated(name: str, command: str, log: str, user: str, password: str | None) -> str:
    """PowerShell that runs a command line by a scheduled task, shows its output and ends with its exit code."""
    if password is None:
        principal = f"New-ScheduledTaskPrincipal -UserId {quoted(user)} -LogonType ServiceAccount -RunLevel Highest"
        login = f"-Principal ({principal})"
    else:
        login = f"-User {quoted(user)} -Password {quoted(password)} -RunLevel Highest"
    arguments = quoted(f'/c "{command} > {log} 2>&1"')
    return f"""\
$ErrorActionPreference = 'Stop'
$action = New-ScheduledTaskAction -Execute cmd.exe -Argument {arguments}
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries `
    -ExecutionTimeLimit (New-TimeSpan -Seconds 0)
Register-ScheduledTask -TaskName {name} -Action $action -Settings $settings {login} -Force | Out-Null
$code = 1
try {{
    Start-ScheduledTask -TaskName {name}
    $shown = 0
    do {{
        Start-Sleep -Milliseconds 200
        $state = (Get-ScheduledTask -TaskName {name}).State
        if (Test-Path {quoted(log)}) {{
            $lines = @(Get-Content {quoted(log)})
            $lines | Select-Object -Skip $shown | ForEach-Object {{ [Console]::Out.WriteLine($_) }}
            $shown = $lines.Count
        }}
    }} while ($state -ne 'Ready')
    $code = (Get-ScheduledTaskInfo -TaskName {name}).LastTaskResult
}} finally {{
    Stop-ScheduledTask -TaskName {name} -ErrorAction SilentlyContinue
    Unregister-ScheduledTask -TaskName {name} -Confirm:$false -ErrorAction SilentlyContinue
    Remove-Item -Force -ErrorAction SilentlyContinue {quoted(log)}
}}
exit $code
"""
