"""Handshake and login on a stream whose other end speaks SSH."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import attrs
import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from packerpy.communicators.ssh.algorithms import Algorithms
from packerpy.communicators.ssh.dialogue import Dialogue
from packerpy.communicators.ssh.host_keys import HostKeys
from packerpy.communicators.ssh.keys import load_certificate, load_key
from packerpy.errors import CommunicatorError

_LOG = "packerpy.ssh"
logging.getLogger("packerpy").addHandler(logging.NullHandler())

_PATIENCE = 90.0
"""Seconds that each stage of handshake and login may take; an emulated guest on a busy host needs many."""

_PERSON = 300.0
"""Seconds that a person may take to answer."""

_WINDOW = 1 << 21
"""Bytes that the server may send ahead; OpenSSH's own figure. The library gets slower with more than this."""

Pipe = socket.socket | paramiko.Channel
"""What a connection runs over: a socket, or a channel of the connection to a bastion."""


class LoginRefusedError(CommunicatorError):
    """The server did not let the user in."""


@attrs.frozen(kw_only=True)
class Credentials:
    """Who logs in, and by what.

    :ivar keys: private key files, in the order in which they are tried.
    :ivar passphrase: of those keys that have one.
    :ivar certificate: goes with the key that it certifies.
    :ivar dialogue: answers what the server asks; ``None`` leaves it to the password.
    """

    user: str
    keys: tuple[Path, ...] = ()
    passphrase: str | None = attrs.field(default=None, repr=False)
    certificate: Path | None = None
    password: str | None = attrs.field(default=None, repr=False)
    agent: bool = False
    dialogue: Dialogue | None = None


@attrs.frozen(kw_only=True)
class Handshake:
    """How to speak to a server.

    :ivar banner: seconds to wait for its first words.
    """

    host_keys: HostKeys
    algorithms: Algorithms = attrs.field(factory=Algorithms)
    keep_alive: float = 5.0
    banner: float = _PATIENCE


def log_in(pipe: Pipe, credentials: Credentials, handshake: Handshake) -> paramiko.Transport:
    """Make an authenticated transport; the pipe is closed when that fails.

    :raises LoginRefusedError: none of the credentials was accepted.
    :raises CommunicatorError: a key file is unreadable, or the host key is not the machine's.
    :raises paramiko.SSHException: the handshake failed; it may work the next time.
    """
    transport = paramiko.Transport(pipe, default_window_size=_WINDOW)
    transport.set_log_channel(_LOG)
    transport.daemon = True
    transport.handshake_timeout = transport.auth_timeout = _PATIENCE
    if credentials.dialogue is not None and credentials.dialogue.ask is not None:
        transport.auth_timeout = _PERSON
    transport.banner_timeout = handshake.banner
    try:
        if isinstance(pipe, socket.socket):
            pipe.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handshake.algorithms.offer(transport, handshake.host_keys.kinds)
        transport.start_client(timeout=_PATIENCE)
        shown = transport.get_remote_server_key()
        handshake.host_keys.verify(f"{shown.get_name()} {shown.get_base64()}")
        _authenticate(transport, credentials)
        if handshake.keep_alive:
            transport.set_keepalive(max(1, round(handshake.keep_alive)))
    except IncompatiblePeer as error:
        transport.close()
        raise CommunicatorError(
            "the SSH server and this side have no algorithm in common",
            details=str(error),
            resolution="check ciphers= and key_exchanges=",
        ) from error
    except BaseException:
        transport.close()
        raise
    return transport


def _authenticate(transport: paramiko.Transport, credentials: Credentials) -> None:
    """Try one after the other; a server may ask for a second way in after the first was good."""
    tried: list[str] = []
    allowed: list[str] = []
    user = credentials.user
    with closing(paramiko.Agent() if credentials.agent else _NoAgent()) as agent:
        for name, key in _keys(credentials, agent):
            tried.append(name)
            answer = _attempt(partial(transport.auth_publickey, user, key))
            if answer.done:
                return
            allowed = answer.allowed or allowed
            if not transport.is_active():
                raise paramiko.AuthenticationException("the server hung up")
            if answer.allowed:
                break
    rest: list[tuple[str, Callable[[], list[str]]]] = []
    if credentials.dialogue is not None:
        rest.append((str(credentials.dialogue), partial(transport.auth_interactive, user, credentials.dialogue)))
    if credentials.password is not None:
        rest.append(("a password", partial(transport.auth_password, user, credentials.password)))
    for name, attempt in rest:
        tried.append(name)
        answer = _attempt(attempt)
        if answer.done:
            return
        allowed = answer.allowed or allowed
    if credentials.agent and not any("agent" in name for name in tried):
        tried.append("an SSH agent, which has no keys or does not run")
    raise _refusal(user, tried, allowed, credentials.dialogue)


@attrs.frozen
class _Answer:
    """Whether we are in; else the ways that the server would take, if it said so."""

    done: bool
    allowed: list[str] = attrs.field(factory=list)


def _attempt(attempt: Callable[[], list[str]]) -> _Answer:
    try:
        further = attempt()
    except paramiko.BadAuthenticationType as error:
        return _Answer(done=False, allowed=error.allowed_types)
    except paramiko.AuthenticationException:
        return _Answer(done=False)
    return _Answer(done=not further, allowed=further)


class _NoAgent:
    """Stands in for an agent that is not asked for."""

    def get_keys(self) -> tuple[paramiko.AgentKey, ...]:
        return ()

    def close(self) -> None:
        return


def _keys(credentials: Credentials, agent: paramiko.Agent | _NoAgent) -> Iterator[tuple[str, paramiko.PKey]]:
    keys = [(path, load_key(path, credentials.passphrase)) for path in credentials.keys]
    if credentials.certificate is not None:
        certificate = load_certificate(credentials.certificate)
        path = certificate.key_among(keys)
        certified = load_key(path, credentials.passphrase)
        certified.load_certificate(str(certificate.path))
        yield f"the key {path} with the certificate {certificate.path}", certified
    for path, key in keys:
        yield f"the key {path} ({key.fingerprint})", key
    for found in agent.get_keys():
        yield f"the agent's key {found.fingerprint}", found


def _refusal(user: str, tried: list[str], allowed: list[str], dialogue: Dialogue | None) -> LoginRefusedError:
    details = f"tried: {', '.join(tried)}" if tried else "there was nothing to try: no key, no agent, no password"
    if allowed:
        details += f"\nthe server takes only: {', '.join(allowed)}"
    if dialogue is not None and dialogue.unanswered:
        details += f"\nasked, and not answered: {', '.join(map(repr, dialogue.unanswered))}"
    return LoginRefusedError(
        f"the SSH server answers, but does not let user {user!r} in",
        details=details,
        resolution="check user= and that the public half of the key is in the machine's authorized_keys",
    )
