"""From a booted machine to an open channel."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import paramiko

from packerpy.communicators.ssh.algorithms import Algorithms
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.communicators.ssh.dialogue import Dialogue, ask_person, at_terminal
from packerpy.communicators.ssh.host_keys import HostKeys
from packerpy.communicators.ssh.identity import Login
from packerpy.communicators.ssh.known_hosts import known_host_keys
from packerpy.communicators.ssh.login import Credentials, Handshake, LoginRefusedError, log_in
from packerpy.communicators.ssh.route import Hop, Route
from packerpy.communicators.ssh.specs import SSH
from packerpy.communicators.ssh.way import Bastion
from packerpy.contracts import Connector, Run
from packerpy.declare.values import Secret
from packerpy.errors import CommunicatorError
from packerpy.values import Endpoint, Machine

_LONGEST_PAUSE = 5.0
"""Seconds between two handshakes that failed, at most; Packer's fixed pause."""


class SSHConnector(Connector):
    """Waits for the SSH server of a machine and logs in."""

    def __init__(self, spec: SSH) -> None:
        self._spec = spec

    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> SSHChannel:
        """See :class:`packerpy.contracts.Connector`."""
        dialer = Dialer(run, self._spec, machine, died)
        through = f" through {dialer.route.title}" if dialer.route.title else ""
        run.say(f"waiting for SSH at {dialer.place} as {dialer.credentials.user}{through}")
        try:
            transport = dialer.dial(self._spec.timeout)
            if self._spec.pause_before_connecting:
                transport.close()
                run.say(f"logged in; waiting {self._spec.pause_before_connecting:g} s before going on")
                run.wait(self._spec.pause_before_connecting)
                transport = dialer.dial(self._spec.timeout)
            return SSHChannel(run, dialer, transport, self._spec)
        except BaseException:
            dialer.route.close()
            raise


class Dialer:
    """Opens connections to one machine, the first one and those after a restart."""

    def __init__(self, run: Run, spec: SSH, machine: Machine, died: Callable[[], str | None] | None = None) -> None:
        self._run, self._spec, self._machine = run, spec, machine
        endpoint = machine.endpoint
        self.host = spec.host or endpoint.host
        self.port = spec.port or endpoint.port
        self.place = f"{self.host}:{self.port}"
        if not self.host:
            raise CommunicatorError("the machine has no address to reach by SSH", resolution="declare SSH(host=…)")
        self.credentials = self._credentials(spec, endpoint)
        self._handshake = self._how(spec, self.host, self.port, endpoint.host_keys)
        self.route = Route(
            run,
            (self.host, self.port),
            proxy=spec.proxy,
            proxy_password=self._clear(spec.proxy.password) if spec.proxy else None,
            hops=[self._hop(bastion) for bastion in spec.bastions],
            died=died,
            patience=spec.read_write_timeout,
        )
        if self.route.banner is not None:
            self._handshake = attrs.evolve(self._handshake, banner=self.route.banner)

    def _hop(self, bastion: Bastion) -> Hop:
        host, port = bastion.host or "", bastion.port or 22
        return Hop(
            host=host, port=port, credentials=self._credentials(bastion), handshake=self._how(bastion, host, port)
        )

    def _credentials(self, login: Login, endpoint: Endpoint | None = None) -> Credentials:
        made = (endpoint.key_file,) if endpoint is not None and endpoint.key_file is not None else ()
        return Credentials(
            user=login.user or (endpoint.user if endpoint is not None else "root"),
            keys=tuple(path.expanduser() for path in (*login.key_files, *made)),
            passphrase=self._clear(login.key_passphrase),
            certificate=login.certificate.expanduser() if login.certificate else None,
            password=self._clear(login.password),
            agent=login.agent,
            dialogue=self._dialogue(login),
        )

    def _dialogue(self, login: Login) -> Dialogue | None:
        if not (login.answers or login.interactive):
            return None
        if login.interactive and not at_terminal():
            raise CommunicatorError(
                f"a login at {login.host or self.host} asks whoever sits at the terminal, and there is none",
                resolution="run it at a terminal, or declare answers= in place of interactive=",
            )
        return Dialogue(
            answers=tuple((part, partial(self._said, answer)) for part, answer in login.answers),
            password=self._clear(login.password),
            ask=self._ask if login.interactive else None,
        )

    def _said(self, answer: Secret | str) -> str:
        return self._clear(answer) or ""

    def _ask(self, question: str, echo: bool) -> str:
        answer = ask_person(question, echo)
        if answer:
            self._run.hide(answer)
        return answer

    def _how(self, login: Login, host: str, port: int, known: tuple[str, ...] = ()) -> Handshake:
        keys, source = [*login.host_keys, *known], "given beforehand"
        if login.host_key_policy == "known-hosts":
            keys += known_host_keys(login.known_hosts.expanduser(), host, port)
            source = f"given beforehand, or in {login.known_hosts}"
        if login.host_key_policy == "insecure":
            self._run.say(f"taking any host key of {host}:{port}, as host_key_policy is 'insecure'")
        host_keys = HostKeys(f"{host}:{port}", keys, self._memory(host, port), login.host_key_policy, source=source)
        algorithms = Algorithms(ciphers=self._spec.ciphers, key_exchanges=self._spec.key_exchanges)
        return Handshake(host_keys=host_keys, algorithms=algorithms, keep_alive=self._spec.keep_alive)

    def _clear(self, password: Secret | str | None) -> str | None:
        if isinstance(password, Secret):
            return self._run.reveal(password)
        if password is not None:
            self._run.hide(password)
        return password

    def _memory(self, host: str, port: int) -> Path:
        token = hashlib.sha256(f"{self._machine.id}\n{host}:{port}".encode()).hexdigest()[:16]
        return self._run.workdir / f"host-key-{token}"

    def dial(self, timeout: float) -> paramiko.Transport:
        """Wait at most ``timeout`` seconds for a login.

        :raises CommunicatorError: it did not come to one; says how far it came.
        """
        deadline = time.monotonic() + timeout
        pause, refusals, failure = 0.2, 0, ""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._no_login(timeout, failure)
            pipe = self.route.open(left if failure else timeout)
            try:
                with self._run.cancellation.calling(pipe.close):
                    return log_in(pipe, self.credentials, self._handshake)
            except LoginRefusedError as error:
                refusals += 1
                failure = str(error)
                if refusals >= self._spec.handshake_attempts:
                    error.details = f"{error.details}\nat {self.place}, {refusals} times"
                    raise
            except (paramiko.SSHException, OSError, EOFError) as error:
                self._run.cancellation.check()
                failure = f"{type(error).__name__}: {error}"
            self._run.wait(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _no_login(self, timeout: float, failure: str) -> CommunicatorError:
        return CommunicatorError(
            f"an SSH server answers at {self.place}, but no login succeeded within {timeout:g} s",
            details=f"last seen: {failure}",
            resolution="look at the server's log on the machine's console; raise timeout= if it only needs longer",
        )
