"""The library for WS-Management. The only importer of pypsrp."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import attrs

from packerpy.communicators.winrm.errors import LoginRefusedError, NotTrustedError
from packerpy.errors import CommunicatorError, Disconnected, PluginError

logging.getLogger("pypsrp").addHandler(logging.NullHandler())

_GONE = frozenset({2150858843, 2150858844})
"""Faults that tell that a shell is not there any more: the machine was restarted, or the service was."""

_CONNECT, _READ = 15, 60
"""Seconds to connect, and to wait for an answer; a busy machine starts a shell slowly."""

POLL = 2
"""Seconds for which the service holds a question for output, when there is none; so long may a cancel take."""

_TERMINATE = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/Terminate"


@attrs.frozen(kw_only=True)
class Access:
    """Everything that a connection takes.

    :ivar verify: check the machine's certificate against the system's authorities, a file of them, or not at all.
    """

    host: str
    port: int
    tls: bool
    auth: str
    user: str | None
    password: str | None = attrs.field(repr=False)
    verify: bool | str = True
    certificate: str | None = None
    certificate_key: str | None = None
    no_proxy: bool = False

    def open(self) -> Any:
        """A client; it connects when it is first used.

        :raises PluginError: the library is missing.
        """
        try:
            from pypsrp.wsman import WSMan
        except ImportError as error:
            raise PluginError(
                "WinRM needs the library pypsrp", resolution="install it with `pip install packerpy[winrm]`"
            ) from error
        return WSMan(
            self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            ssl=self.tls,
            auth=self.auth,
            cert_validation=self.verify,  # type: ignore[arg-type]  # a path is allowed too
            # NTLM encrypts by itself; the other two have only TLS for that.
            encryption="auto" if self.auth == "ntlm" else "never",
            certificate_pem=self.certificate,
            certificate_key_pem=self.certificate_key,
            no_proxy=self.no_proxy,
            connection_timeout=_CONNECT,
            read_timeout=_READ,
            reconnection_backoff=0.0,
        )


@contextmanager
def translated(label: str, user: str | None = None) -> Iterator[None]:
    """Turn the library's exceptions into ours.

    :raises LoginRefusedError: the user is not let in.
    :raises NotTrustedError: the machine's certificate is not valid.
    :raises Disconnected: the machine, or its shell, is gone.
    :raises CommunicatorError: anything else.
    """
    import requests
    from pypsrp.exceptions import AuthenticationError, WinRMError, WSManFaultError

    try:
        yield
    except AuthenticationError as error:
        raise LoginRefusedError(
            f"the WinRM service answers, but does not let user {user!r} in",
            details=str(error),
            resolution="check user= and password=, auth=, and which ways of login the service allows "
            "(`winrm get winrm/config/service/auth`)",
        ) from error
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise CommunicatorError(f"no TLS could be agreed on for {label}", details=_short(error)) from error
        raise NotTrustedError(
            "the machine's certificate is not trusted",
            details=str(error),
            resolution="give the authority's certificate with ca_file=, or declare insecure=True",
        ) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise Disconnected(
            f"the WinRM service does not answer any more: {label}",
            details=_short(error),
            resolution="if it restarts the machine, declare expect_disconnect=True; else look at the console",
        ) from error
    except WSManFaultError as error:
        if error.code in _GONE:
            raise Disconnected(f"the machine forgot the shell of {label}: it was restarted") from error
        raise CommunicatorError(f"the WinRM service refuses {label}", details=_fault(error)) from error
    except (WinRMError, requests.exceptions.RequestException, ValueError) as error:
        raise CommunicatorError(f"WinRM failed at {label}", details=_short(error)) from error


def _fault(error: Any) -> str:
    code = f"{error.code:#x}" if isinstance(error.code, int) else str(error.code)
    return f"{(error.reason or 'no reason given').strip()} (code {code})"


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000]


class Shell:
    """One command in a remote shell of its own; leaving the context ends both.

    :param client: used by nobody else meanwhile.
    """

    def __init__(self, client: Any, line: str, env: Mapping[str, str]) -> None:
        from pypsrp.shell import Process, WinRS

        self._client = client
        self._shell = WinRS(client, environment=dict(env) or None, codepage=65001)
        self._process = Process(self._shell, line)

    def start(self) -> None:
        """Make the shell, and start the command in it."""
        self._shell.open()
        self._process.begin_invoke()

    def send(self, pieces: Iterable[bytes]) -> Iterator[None]:
        """Send input in as large pieces as the service takes, then its end; yields after each."""
        size, buffer = self._client.max_payload_size, b""
        for piece in pieces:
            buffer += piece
            while len(buffer) > size:
                self._process.send(buffer[:size], end=False)
                buffer = buffer[size:]
                yield
        self._process.send(buffer, end=True)

    def poll(self) -> tuple[bytes, bytes, int | None]:
        """What it printed since the last time, and its exit code once it has ended; waits for :data:`POLL` seconds."""
        self._process.poll_invoke(timeout=POLL)
        out, self._process.stdout = self._process.stdout, b""
        err, self._process.stderr = self._process.stderr, b""
        ended = self._process.state.endswith("/Done")
        return out, err, (self._process.rc or 0) if ended else None

    def close(self) -> None:
        """End the command if it still runs, and forget the shell; one that cannot be reached is gone, or goes idle."""
        if not self._shell.opened:
            return
        with suppress(Exception):
            if self._process.id is not None:
                self._process.signal(_TERMINATE)
        with suppress(Exception):
            self._shell.close()
