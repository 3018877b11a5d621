"""The workers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PureWindowsPath

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import CommunicatorError, ProvisionError
from packerpy.kit.text import text_of
from packerpy.provisioners.common import perform, texts_of
from packerpy.provisioners.windows import quoting
from packerpy.provisioners.windows.specs import PowerShell, WindowsScript, WindowsShell
from packerpy.values import Command, Machine

_BOM = "\ufeff"
"""Windows' own PowerShell takes a script without it for one in the local code page."""


class PowerShellWorker(Provisioner):
    """Variables and script are files; command lines hold nothing but their names."""

    def __init__(self, spec: PowerShell) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        for name, content in _contents(run, spec, _stopping):
            with _placed(run, channel, spec) as place:
                variables, script = f"{place}-env.ps1", f"{place}.ps1"
                _put(run, channel, _BOM + quoting.assignments(texts_of(run, spec.env)), variables)
                _put(run, channel, _BOM + content, script)
                line = self._line(quoting.starting(variables, script))
                if spec.elevated_user is not None:
                    line = self._elevated(run, channel, place, line, spec.elevated_user)
                perform(run, channel, Command(line=line), name, ok=spec.valid_exit_codes)

    def _line(self, script: str) -> str:
        program = "pwsh.exe" if self._spec.pwsh else "powershell.exe"
        return quoting.encoded(script, program=program, policy=self._spec.execution_policy)

    def _elevated(self, run: Run, channel: Communicator, place: str, line: str, user: str) -> str:
        """The password stands in a file, too."""
        password = self._spec.elevated_password
        clear = text_of(run, password) if password is not None else None
        name = PureWindowsPath(place).name
        wrapper = f"{place}-elevated.ps1"
        _put(run, channel, _BOM + quoting.elevated(name, line, f"{place}.out", user, clear), wrapper)
        return quoting.encoded(f"& {quoting.quoted(wrapper)}; exit $LASTEXITCODE")


class WindowsShellWorker(Provisioner):
    """Variables and lines are one batch file."""

    def __init__(self, spec: WindowsShell) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        for name, content in _contents(run, spec, lambda line: f"{line}\r\n"):
            with _placed(run, channel, spec) as place:
                variables = quoting.batch_assignments(texts_of(run, spec.env))
                _put(run, channel, variables + content, f"{place}.bat")
                line = f'cmd.exe /c "{PureWindowsPath(place)}.bat"'
                perform(run, channel, Command(line=line), name, ok=spec.valid_exit_codes)


def _stopping(line: str) -> str:
    return f"{line}\r\n{quoting.AFTER_LINE}"


def _contents(run: Run, spec: WindowsScript, line_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Name and content of each script."""
    for path in spec.scripts:
        try:
            yield f"the script {path}", path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ProvisionError(f"cannot read the script {path}", details=str(error)) from error
    if spec.inline:
        lines = [text_of(run, line) for line in spec.inline]
        start = quoting.STOP_AT_FAILURE.replace("\n", "\r\n") if isinstance(spec, PowerShell) else ""
        yield "the inline script", start + "".join(line_of(line) for line in lines)


@contextmanager
def _placed(run: Run, channel: Communicator, spec: WindowsScript) -> Iterator[str]:
    """The beginning of names of files in the machine, which are removed at the end whatever happens."""
    place = f"{spec.remote_folder.rstrip('/')}/packerpy-{secrets.token_hex(8)}"
    try:
        yield place
    finally:
        gone = f"Remove-Item -Force -ErrorAction SilentlyContinue {quoting.quoted(place + '*')}"
        with suppress(CommunicatorError), run.shielded():
            channel.run(Command(line=quoting.encoded(gone), timeout=60))


def _put(run: Run, channel: Communicator, text: str, target: str) -> None:
    path = run.workdir / PureWindowsPath(target).name
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", newline="")
        channel.put(path, PureWindowsPath(target))
    finally:
        path.unlink(missing_ok=True)
