"""The declarations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.declare.values import Text
from packerpy.kit.scripts import Script
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

RESTART = 'shutdown /r /f /t 0 /c "packerpy restart"'
PENDING = (
    r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\PackagesPending",
    r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootInProgress",
)
"""Keys that are there while an update still has to do something; Packer's list."""


@declaration
class WindowsScript(Script):
    """What scripts of both kinds can be told.

    :ivar remote_folder: where the script lies in the machine while it runs; environment variables travel in a file.
    """

    largest_code: ClassVar[int] = 0xFFFFFFFF

    remote_folder: str = attrs.field(default="C:/Windows/Temp", kw_only=True)

    def check(self) -> Iterable[Problem]:
        """Also the folder."""
        yield from super().check()
        if not self.remote_folder.strip() or "'" in self.remote_folder:
            yield Problem(where="remote_folder", what="not a folder", seen=repr(self.remote_folder))


@declaration
class PowerShell(WindowsScript, ProvisionerSpec):
    """Runs PowerShell lines, or scripts of the host, in a Windows machine.

    Lines end at the first that fails, whether a cmdlet or a program; of a script its own exit code counts. See
    :class:`WindowsScript`.

    :param elevated_user: run it by a scheduled task as this user, with all of its rights; a login over the network has
        not all of them. ``SYSTEM`` needs no password.
    :param elevated_password: of that user.
    :param pwsh: PowerShell 7 in place of Windows' own.
    :param execution_policy: for this script; ``bypass``, as in Packer.
    """

    kind: ClassVar[str] = "powershell"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`PowerShell`, elevated too: files and commands", "a channel that records them", "simulated"),
    )

    elevated_user: str | None = attrs.field(default=None, kw_only=True)
    elevated_password: Text | None = attrs.field(default=None, repr=False, kw_only=True)
    pwsh: bool = attrs.field(default=False, kw_only=True)
    execution_policy: str = attrs.field(default="bypass", kw_only=True)

    def check(self) -> Iterable[Problem]:
        """Also user and policy."""
        yield from super().check()
        policies = ("bypass", "allsigned", "default", "remotesigned", "restricted", "undefined", "unrestricted")
        if self.execution_policy.lower() not in policies:
            fix = f"use {', '.join(policies)}"
            yield Problem(where="execution_policy", what="unknown", seen=self.execution_policy, fix=fix)
        if self.elevated_password is not None and self.elevated_user is None:
            yield Problem(where="elevated_user", what="a password needs its user", fix="give elevated_user=")
        if self.elevated_user and self.elevated_user.upper() != "SYSTEM" and self.elevated_password is None:
            yield Problem(where="elevated_password", what="this user needs a password", seen=self.elevated_user)

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.windows.scripts import PowerShellWorker

        return PowerShellWorker(self)


@declaration
class WindowsShell(WindowsScript, ProvisionerSpec):
    """Runs lines, or batch files of the host, by ``cmd`` in a Windows machine. See :class:`WindowsScript`."""

    kind: ClassVar[str] = "windows-shell"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`WindowsShell`: files and commands", "a channel that records them", "simulated"),
    )

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.windows.scripts import WindowsShellWorker

        return WindowsShellWorker(self)


@declaration(kw_only=True)
class WindowsRestart(ProvisionerSpec):
    """Restarts a Windows machine, and waits until it has been booted anew and updates have done what they still had to.

    :param command: what restarts it.
    :param timeout: seconds for all of it; Packer's 5 minutes.
    :param ready_command: PowerShell that must succeed before the step ends.
    :param check_registry: wait until none of ``registry_keys`` is there.
    :param registry_keys: keys that are there while something is pending.
    """

    kind: ClassVar[str] = "windows-restart"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`WindowsRestart`: commands and waiting", "a channel that records them", "simulated"),
    )

    command: str = RESTART
    timeout: float = 300.0
    ready_command: str = "exit 0"
    check_registry: bool = False
    registry_keys: tuple[str, ...] = attrs.field(default=PENDING, converter=word_list)

    @property
    def title(self) -> str:
        """What it does."""
        return "restart the machine"

    @property
    def ready(self) -> str:
        """Everything that is awaited, as a command line."""
        from packerpy.provisioners.windows.quoting import encoded, quoted

        keys = self.registry_keys if self.check_registry else ()
        pending = "".join(f"if (Test-Path {quoted(key)}) {{ exit 1 }}; " for key in keys)
        return encoded(pending + self.ready_command)

    def check(self) -> Iterable[Problem]:
        """A command, and time for it."""
        for name in ("command", "ready_command"):
            value: Any = getattr(self, name)
            if not value.strip():
                yield Problem(where=name, what="is empty", fix="leave it out")
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.waiting.worker import RebootWorker
        from packerpy.provisioners.windows.quoting import LAST_BOOT, encoded

        return RebootWorker(self, encoded(LAST_BOOT), sudo=False)
