"""How to log in over SSH, as declared."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from packerpy.communicators.ssh.by_hand import ssh_command
from packerpy.communicators.ssh.identity import Login
from packerpy.communicators.ssh.way import Bastion, Proxy, check_tunnels
from packerpy.contracts import CommunicatorSpec, TellsTheWay
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.kit.choices import suggestion
from packerpy.kit.ssh_keys import KEY_KINDS, KeyKind
from packerpy.values import Machine, Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Connector

FileTransfer = Literal["shell", "sftp", "scp"]
_TRANSFERS: tuple[FileTransfer, ...] = ("shell", "sftp", "scp")


def _bastions(value: Bastion | Iterable[Bastion]) -> tuple[Bastion, ...]:
    return (value,) if isinstance(value, Bastion) else tuple(value)


@declaration(kw_only=True)
class SSH(Login, CommunicatorSpec, TellsTheWay):
    """A login over SSH. What is not given here, the source knows: address, port, user and the key made for the build.

    :param user: login name; ``root`` unless the source says otherwise.
    :param host: address or name, in place of the source's.
    :param port: TCP port, in place of the source's.
    :param key_files: one private key or several, tried in this order, before the one that the source made.
    :param key_passphrase: of those key files that are protected by one; prefer a ``Secret``.
    :param certificate: an OpenSSH certificate (``…-cert.pub``) for one of the keys.
    :param password: tried after keys, also where the server asks for it by a dialogue; prefer a ``Secret``.
    :param answers: a part of what the server asks when it asks by a dialogue → the answer, best a ``Secret``:
        ``{"Verification code": Secret(command=["oathtool", …])}``; read anew for each login. ``password`` answers where
        a password is asked for.
    :param interactive: ask whoever sits at the terminal for what nothing else answers.
    :param agent: try the keys of the running SSH agent.
    :param forward_agent: let commands in the machine use that agent. Off, as whoever is root there can use it too
        (Packer turns it on with the agent).
    :param host_keys: public host keys (``ssh-ed25519 AAAA…``) that the machine may have, besides those that the source
        knows.
    :param known_hosts: a file in OpenSSH's format that is looked into for more of them, under ``"known-hosts"``.
    :param host_key_policy: what to do when neither the source nor ``host_keys`` knows any. ``"first-use"``: the first
        one seen is trusted for the rest of the run. ``"pin"``: that is an error. ``"known-hosts"``: it must stand in
        ``known_hosts``. ``"insecure"``: take any, always, whatever is known; what Packer does.
    :param proxy: a :class:`Proxy` that the machine, or the first bastion, is reached through.
    :param bastions: one :class:`Bastion` or several, logged in to in this order on the way to the machine.
    :param local_tunnels: ``"PORT:HOST:PORT"``: who connects to the first port of this host's loopback talks to
        ``HOST:PORT`` as the machine sees it.
    :param remote_tunnels: the same the other way round: the first port is the machine's, the rest is seen from here.
    :param ciphers: these only, in this order; by default the library's, cheap ones first.
    :param key_exchanges: likewise.
    :param file_transfer: ``"shell"`` sends files, and folders as a tar stream, to the machine's shell: the fastest and
        the most exact way. ``"sftp"`` and ``"scp"`` for machines that have no tar or an odd shell; over them links that
        share a file arrive as files of their own, and over scp symbolic links as what they point to.
    :param timeout: seconds to wait for a login, from the moment the machine was started; Packer's default of 5 minutes.
    :param keep_alive: seconds between two signs of life on an idle connection; 0 for none. Packer's default of 5.
    :param read_write_timeout: seconds after which a connection is given up when nothing that was sent is acknowledged;
        0 leaves it to the system (about a quarter of an hour), Packer's default. Through bastions it is the connection
        to the first that is watched.
    :param handshake_attempts: refused logins before giving up. A machine may offer SSH a moment before it knows the
        key or lets users in, so the first refusal is not the last word. Packer's default of 10.
    :param made_key: the type of the key that the source makes for the build: ``"ed25519"``; ``"rsa"`` (4096 bits) or
        ``"ecdsa"`` (P-256) for machines that do not know the first.
    :param pause_before_connecting: seconds to wait after a first login, before logging in again and going on; for
        machines that restart once more by themselves.
    :param pty: run every command that has no input on a terminal.
    :param sudo: run every command through ``sudo -n`` when the user is not root.
    """

    kind: ClassVar[str] = "ssh"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`SSH`: commands, files, every login, tunnels", "OpenSSH 9.2 server, on the host and in guests", "run"),
        Support("`SSH(answers=…)`, two ways in one after the other", "OpenSSH 9.2 with PAM, on the host", "run"),
        Support("`SSH(bastions=…)`", "a chain of OpenSSH 9.2 servers in network namespaces", "run"),
        Support("`SSH(proxy=…)`, SOCKS5 and HTTP", "microsocks 1.0 and tinyproxy 1.11 in network namespaces", "run"),
    )

    forward_agent: bool = False
    proxy: Proxy | None = None
    bastions: tuple[Bastion, ...] = attrs.field(default=(), converter=_bastions)
    local_tunnels: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    remote_tunnels: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    ciphers: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    key_exchanges: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    file_transfer: FileTransfer = "shell"
    timeout: float = 300.0
    keep_alive: float = 5.0
    read_write_timeout: float = 0.0
    handshake_attempts: int = 10
    made_key: KeyKind = "ed25519"
    pause_before_connecting: float = 0.0
    pty: bool = False
    sudo: bool = False

    def check(self) -> Iterable[Problem]:
        """Numbers in range, names not empty, files there, and a way that can be gone."""
        yield from self.check_login()
        yield from self._check_numbers()
        yield from self._check_way()
        yield from self._check_algorithms()
        for name, what, allowed in (
            ("file_transfer", "no way to move files", _TRANSFERS),
            ("made_key", "no type of key that is made", KEY_KINDS),
        ):
            if (seen := getattr(self, name)) not in allowed:
                yield Problem(where=name, what=what, seen=repr(seen), fix=suggestion(seen, allowed))

    def _check_numbers(self) -> Iterable[Problem]:
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))
        for name in ("keep_alive", "read_write_timeout", "pause_before_connecting"):
            if (value := getattr(self, name)) < 0:
                yield Problem(where=name, what="must not be negative", seen=str(value), fix="0 is off")
        if self.read_write_timeout > 0 and not 0 < self.keep_alive < self.read_write_timeout:
            yield Problem(
                where="keep_alive",
                what="with read_write_timeout, signs of life must be sent in shorter intervals than that",
                seen=str(self.keep_alive),
            )
        if self.handshake_attempts < 1:
            yield Problem(where="handshake_attempts", what="must be 1 or more", seen=str(self.handshake_attempts))

    def _check_way(self) -> Iterable[Problem]:
        if self.proxy is not None:
            yield from (problem.within("proxy") for problem in self.proxy.check())
        for index, bastion in enumerate(self.bastions):
            yield from (problem.within(f"bastions[{index}]") for problem in bastion.check())
        yield from check_tunnels("local_tunnels", self.local_tunnels)
        yield from check_tunnels("remote_tunnels", self.remote_tunnels)

    def _check_algorithms(self) -> Iterable[Problem]:
        if not (self.ciphers or self.key_exchanges):
            return
        from packerpy.communicators.ssh.algorithms import CIPHERS, KEY_EXCHANGES

        for where, names, known in (
            ("ciphers", self.ciphers, CIPHERS),
            ("key_exchanges", self.key_exchanges, KEY_EXCHANGES),
        ):
            for index, name in enumerate(names):
                if name not in known:
                    fix = suggestion(name, known)
                    yield Problem(where=f"{where}[{index}]", what="not known to the SSH library", seen=name, fix=fix)

    def by_hand(self, machine: Machine, folder: Path) -> str | None:
        """See :class:`packerpy.contracts.TellsTheWay`; none through a proxy."""
        if self.proxy is not None or not (self.host or machine.endpoint.host):
            return None
        return shlex.join(ssh_command(self, machine, folder / "known_hosts"))

    def load(self) -> Connector:
        """The worker."""
        from packerpy.communicators.ssh.connector import SSHConnector

        return SSHConnector(self)
