"""How Ansible reaches the machine."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from packerpy.communicators.ssh import SSH
from packerpy.communicators.ssh.doorway import KNOCK, doorway
from packerpy.contracts import Run
from packerpy.declare import Secret
from packerpy.errors import PluginError
from packerpy.kit.process import find_tool, spawn, stop
from packerpy.kit.text import text_of
from packerpy.values import Machine

_PAUSE = 0.05
"""Seconds between two looks whether the shared connection is there; OpenSSH tells by making its socket."""


@attrs.frozen(kw_only=True)
class Reach:
    """Where the machine is, and who logs in.

    :ivar arguments: words for ``ssh`` that leave nothing to the user's own configuration.
    :ivar environment: variables for ``ssh``, by which it gets a password.
    """

    host: str
    port: int
    user: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = attrs.field(factory=dict)

    def variables(self) -> dict[str, str]:
        """The same for an inventory."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.host,
            "ansible_port": str(self.port),
            "ansible_user": self.user,
            "ansible_ssh_args": shlex.join(self.arguments),
            "ansible_pipelining": "true",
        }


@contextmanager
def reaching(run: Run, machine: Machine, folder: Path) -> Iterator[Reach]:
    """How to log in to a machine, whatever the channel of the build is; what is needed for it lasts until the end.

    :param folder: gets files with host keys and a password; only we can enter it.
    :raises PluginError: the machine has no SSH, or nothing to log in with.
    """
    endpoint = machine.endpoint
    spec = machine.communicator if isinstance(machine.communicator, SSH) else SSH()
    host = spec.host or endpoint.host
    keys = [path.expanduser() for path in (*spec.key_files, endpoint.key_file) if path is not None]
    if not host or not (keys or spec.agent or spec.password is not None):
        raise PluginError(
            "Ansible needs SSH and something to log in with, which this machine does not have",
            resolution="use AnsibleLocal, which needs Ansible in the machine, or a source whose machines have SSH",
        )
    port, door = spec.port or endpoint.port, folder / "door"
    settings = {
        **_host_keys(spec, f"{host}" if port == 22 else f"[{host}]:{port}", endpoint.host_keys, folder / "known_hosts"),
        **({"CertificateFile": str(spec.certificate.expanduser())} if spec.certificate is not None else {}),
        **({"BatchMode": "yes"} if spec.password is None else {"NumberOfPasswordPrompts": "1"}),
        "IdentitiesOnly": "no" if spec.agent else "yes",
        **({} if spec.agent else {"IdentityAgent": "none"}),
        "ServerAliveInterval": "15",
        "ControlPath": str(folder / "ssh"),
        "ControlMaster": "no",
    }
    with ExitStack() as stack:
        if spec.bastions or spec.proxy is not None:
            stack.enter_context(doorway(run, spec, machine, door))
            settings |= {"ProxyCommand": shlex.join([sys.executable, "-IS", str(KNOCK), str(door)])}
            settings |= {"ProxyUseFdpass": "yes"}
        options = [word for setting, value in settings.items() for word in ("-o", f"{setting}={value}")]
        identities = [word for key in keys for word in ("-i", str(key))]
        yield Reach(
            host=host,
            port=port,
            user=spec.user or endpoint.user,
            arguments=("-F", "none", *options, *identities),
            environment=_password(run, spec.password, folder) if spec.password is not None else {},
        )


def _password(run: Run, password: Secret | str, folder: Path) -> Mapping[str, str]:
    """The variables by which ssh asks a program of ours for the password, which reads it from a private file."""
    file, program = folder / "password", folder / "askpass"
    file.touch(mode=0o600)
    file.write_text(text_of(run, password) + "\n", encoding="utf-8")
    program.touch(mode=0o700)
    program.write_text(f"#!/bin/sh\nexec cat {shlex.quote(str(file))}\n", encoding="utf-8")
    return {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}


def _host_keys(spec: SSH, name: str, known: Sequence[str], file: Path) -> Mapping[str, str]:
    """The settings by which ssh believes the same host keys as the build does.

    :param name: the machine, as OpenSSH writes it into such files.
    :param known: keys that the source knows.
    :param file: gets those keys.
    """
    pinned = (*spec.host_keys, *known)
    file.write_text("".join(f"{name} {key}\n" for key in pinned))
    files = [str(file), *([str(spec.known_hosts.expanduser())] if spec.host_key_policy == "known-hosts" else [])]
    checking = "yes"
    if spec.host_key_policy == "insecure":
        files, checking = ["/dev/null"], "no"
    elif spec.host_key_policy == "first-use" and not pinned:
        checking = "accept-new"  # the first key seen is trusted for this step
    return {
        "UserKnownHostsFile": " ".join(files),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": checking,
    }


@contextmanager
def shared_connection(run: Run, place: Reach, folder: Path) -> Iterator[None]:
    """One connection for all that Ansible does, which ends with us; each login costs a slow guest seconds.

    Without it (the machine was restarted by a task, or does not let us) Ansible makes its own connections.
    """
    ssh = find_tool("ssh", package="openssh-client", needed_for="Ansible")
    argv = [ssh, "-N", "-M", *place.arguments, "-p", str(place.port), "-l", place.user, place.host]
    env = {**os.environ, **place.environment}
    master = spawn([*argv[:3], "-o", "ControlMaster=yes", *argv[3:]], stderr=subprocess.DEVNULL, env=env)
    try:
        while master.poll() is None and not (folder / "ssh").exists():
            run.wait(_PAUSE)
        yield
    finally:
        stop(master)
