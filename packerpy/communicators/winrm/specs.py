"""How to log in over WinRM, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from packerpy.contracts import CommunicatorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import optional_path
from packerpy.declare.values import Secret
from packerpy.kit.choices import suggestion
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Connector

Auth = Literal["ntlm", "basic", "certificate"]
_AUTHS: tuple[Auth, ...] = ("ntlm", "basic", "certificate")

WindowsShell = Literal["cmd", "powershell"]
_SHELLS: tuple[WindowsShell, ...] = ("cmd", "powershell")


def _hidden(value: Secret | str | None) -> str:
    return "None" if value is None else "<secret>"


@declaration(kw_only=True)
class WinRM(CommunicatorSpec):
    r"""A login over WinRM, Windows' own way of remote management (WS-Management with remote shells).

    Commands are given to ``cmd`` or PowerShell; there are no terminals, and ``sudo`` means nothing. Files travel as
    base64 through PowerShell; in folders, modes are lost and links arrive as what they point to.

    :param user: login name, ``DOMAIN\name`` for one of a domain.
    :param password: its password; prefer a ``Secret``.
    :param host: address or name, in place of the source's.
    :param port: TCP port; 5985, and 5986 with TLS, unless given.
    :param tls: speak HTTPS.
    :param ca_file: certificates (PEM) of who may have signed the machine's; by default those that the system trusts.
    :param insecure: take any certificate of the machine, which is what a machine has that made it itself.
    :param auth: ``"ntlm"`` also encrypts what is sent without TLS, and is what Windows takes unless told otherwise.
        ``"basic"`` is Packer's default; without TLS it sends the password, and everything else, in clear.
        ``"certificate"`` is a client certificate, and needs TLS.
    :param certificate: the client certificate (PEM).
    :param certificate_key: its private key (PEM).
    :param no_proxy: connect directly, even if this process' environment names a proxy.
    :param shell: what a command's line is given to.
    :param temp_folder: a folder of the machine in which folders wait, packed, while they are moved.
    :param timeout: seconds to wait for a login, from the moment the machine was started; Packer's 30 minutes.
    :param login_attempts: refused logins before giving up: Windows answers before it has set up its users.
    :param pause_before_connecting: seconds to wait after a first login, before going on.
    """

    kind: ClassVar[str] = "winrm"
    support: ClassVar[tuple[Support, ...]] = (
        Support(
            "`WinRM`: commands, files, reconnect; HTTP, HTTPS; Basic, NTLM, certificate",
            "a WS-Management server of the tests' own that runs the commands in a POSIX shell; not run against Windows",
            "simulated",
        ),
        Support(
            "`WinRM` with Windows, and the PowerShell scripts that move files",
            "nothing: not run against Windows",
            "not run",
        ),
    )

    user: str | None = None
    password: Secret | str | None = attrs.field(default=None, repr=_hidden)
    host: str | None = None
    port: int | None = None
    tls: bool = False
    ca_file: Path | None = attrs.field(default=None, converter=optional_path)
    insecure: bool = False
    auth: Auth = "ntlm"
    certificate: Path | None = attrs.field(default=None, converter=optional_path)
    certificate_key: Path | None = attrs.field(default=None, converter=optional_path)
    no_proxy: bool = False
    shell: WindowsShell = "cmd"
    temp_folder: PurePosixPath = attrs.field(default=PurePosixPath("C:/Windows/Temp"), converter=PurePosixPath)
    timeout: float = 1800.0
    login_attempts: int = 10
    pause_before_connecting: float = 0.0

    def check(self) -> Iterable[Problem]:
        """A whole login, numbers in range, files there, TLS where it is needed."""
        yield from self._check_login()
        yield from self._check_tls()
        if self.host == "":
            yield Problem(where="host", what="the address is empty", fix="leave it out, or give an address")
        if self.port is not None and not 0 < self.port < 65536:
            yield Problem(where="port", what="not a TCP port", seen=str(self.port), fix="use 1 to 65535")
        if self.shell not in _SHELLS:
            fix = suggestion(self.shell, _SHELLS)
            yield Problem(where="shell", what="no shell of Windows", seen=repr(self.shell), fix=fix)
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))
        if self.login_attempts < 1:
            yield Problem(where="login_attempts", what="must be 1 or more", seen=str(self.login_attempts))
        if self.pause_before_connecting < 0:
            seen = str(self.pause_before_connecting)
            yield Problem(where="pause_before_connecting", what="must not be negative", seen=seen)

    def _check_login(self) -> Iterable[Problem]:
        if self.auth not in _AUTHS:
            fix = suggestion(self.auth, _AUTHS)
            yield Problem(where="auth", what="no way to log in", seen=repr(self.auth), fix=fix)
        if self.auth != "certificate":
            for name in ("user", "password"):
                if not getattr(self, name):
                    yield Problem(where=name, what="WinRM needs a user and a password", fix=f"give {name}=")
            return
        for name in ("certificate", "certificate_key"):
            if getattr(self, name) is None:
                yield Problem(
                    where=name, what='auth="certificate" needs a certificate and its key', fix=f"give {name}="
                )
        if not self.tls:
            yield Problem(where="tls", what='auth="certificate" works over TLS only', fix="declare tls=True")

    def _check_tls(self) -> Iterable[Problem]:
        for name in ("ca_file", "certificate", "certificate_key"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.expanduser().is_file():
                yield Problem(where=name, what="there is no such file", seen=str(path))
        if not self.tls and (self.ca_file or self.insecure):
            where = "ca_file" if self.ca_file else "insecure"
            yield Problem(where=where, what="means nothing without TLS", fix="declare tls=True")
        if self.insecure and self.ca_file:
            yield Problem(where="insecure", what="takes any certificate, and ca_file says which are right")

    def load(self) -> Connector:
        """The worker."""
        from packerpy.communicators.winrm.connector import WinRMConnector

        return WinRMConnector(self)
