"""From a booted machine to an open channel."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from packerpy.communicators.winrm.api import Access
from packerpy.communicators.winrm.channel import WinRMChannel
from packerpy.communicators.winrm.errors import LoginRefusedError, NotTrustedError
from packerpy.communicators.winrm.specs import WinRM
from packerpy.contracts import Connector, Run
from packerpy.declare.values import Secret
from packerpy.errors import CommunicatorError
from packerpy.values import Machine

_PAUSE = (0.2, 5.0)
"""Seconds between two attempts, at first and at most: each makes a remote shell, which costs Windows seconds."""

_LOOK = 0.2
"""Seconds between two looks at whether the port takes connections."""


class WinRMConnector(Connector):
    """Waits for the WinRM service of a machine and logs in."""

    def __init__(self, spec: WinRM) -> None:
        self._spec = spec

    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> WinRMChannel:
        """See :class:`packerpy.contracts.Connector`."""
        spec = self._spec
        host = spec.host or machine.endpoint.host
        if not host:
            raise CommunicatorError("the machine has no address to reach by WinRM", resolution="declare WinRM(host=…)")
        access = Access(
            host=host,
            port=spec.port or (5986 if spec.tls else 5985),
            tls=spec.tls,
            auth=spec.auth,
            user=spec.user,
            password=_clear(run, spec.password),
            verify=_verify(spec),
            certificate=_text(spec.certificate),
            certificate_key=_text(spec.certificate_key),
            no_proxy=spec.no_proxy,
        )
        run.say(f"waiting for WinRM at {host}:{access.port} as {spec.user or spec.certificate}")
        if spec.tls and spec.insecure:
            run.say(f"taking any certificate of {host}, as insecure=True")
        wait = Wait(run, access, spec.login_attempts, died)
        channel = WinRMChannel(run, access, spec, wait)
        wait.until_it_works(channel, spec.timeout)
        if spec.pause_before_connecting:
            run.say(f"logged in; waiting {spec.pause_before_connecting:g} s before going on")
            run.wait(spec.pause_before_connecting)
            wait.until_it_works(channel, spec.timeout)
        return channel


class Wait:
    """Tries until a command runs; for the first connection and after each restart."""

    def __init__(self, run: Run, access: Access, attempts: int, died: Callable[[], str | None] | None) -> None:
        self._run, self._access, self._attempts, self._died = run, access, attempts, died

    def until_it_works(self, channel: WinRMChannel, timeout: float) -> None:
        """Wait at most ``timeout`` seconds.

        :raises CommunicatorError: nothing answered, or no login succeeded; says how far it came.
        """
        place = f"{self._access.host}:{self._access.port}"
        deadline = time.monotonic() + timeout
        pause, refusals, last = _PAUSE[0], 0, ""
        while True:
            self._await_port(place, deadline, timeout, last)
            try:
                channel.greet()
            except NotTrustedError:
                raise
            except LoginRefusedError as error:
                refusals += 1
                if refusals >= self._attempts:
                    error.details = f"{error.details}\nat {place}, {refusals} times"
                    raise
                last = error.brief
            except CommunicatorError as error:
                last = str(error)
            else:
                return
            if time.monotonic() >= deadline:
                raise CommunicatorError(
                    f"something answers at {place}, but no command could be run over WinRM within {timeout:g} s",
                    details=f"last seen: {last}",
                    resolution="is it the right port, with or without TLS? Raise timeout= if it only needs longer",
                )
            self._run.wait(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 2, _PAUSE[1])

    def _await_port(self, place: str, deadline: float, timeout: float, last: str) -> None:
        while True:
            self._run.cancellation.check()
            reason = self._died() if self._died is not None else None
            if reason is not None:
                raise CommunicatorError("the machine is gone while waiting for its WinRM service", details=reason)
            try:
                # Short, as a packet that is sent while the network is down is sent again only after ever longer pauses.
                with socket.create_connection((self._access.host, self._access.port), timeout=1.0):
                    return
            except OSError as error:
                last = error.strerror or str(error)
            if time.monotonic() >= deadline:
                raise CommunicatorError(
                    f"{place} could not be reached within {timeout:g} s",
                    details=f"last seen: {last}",
                    resolution="check address and port, firewall, and whether the machine has booted",
                )
            self._run.wait(_LOOK)


def _clear(run: Run, password: Secret | str | None) -> str | None:
    if isinstance(password, Secret):
        return run.reveal(password)
    if password is not None:
        run.hide(password)
    return password


def _verify(spec: WinRM) -> bool | str:
    if spec.insecure:
        return False
    return str(spec.ca_file.expanduser()) if spec.ca_file else True


def _text(path: object) -> str | None:
    from pathlib import Path

    return str(path.expanduser()) if isinstance(path, Path) else None
