"""OpenSSH's command line for a machine of a build, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packerpy.values import Machine

if TYPE_CHECKING:
    from packerpy.communicators.ssh.specs import SSH


def ssh_command(spec: SSH, machine: Machine, known_hosts: Path) -> list[str]:
    """With the build's key, and the host keys that the build knows; the user's own configuration is left out.

    Bastions are named; their keys are those that the user's agent has.

    :param known_hosts: gets the machine's host keys.
    """
    endpoint = machine.endpoint
    host, port = spec.host or endpoint.host, spec.port or endpoint.port
    keys = (*spec.host_keys, *endpoint.host_keys)
    name = host if port == 22 else f"[{host}]:{port}"
    known_hosts.write_text("".join(f"{name} {key}\n" for key in keys), encoding="utf-8")
    options = [f"UserKnownHostsFile={known_hosts}", f"StrictHostKeyChecking={'yes' if keys else 'accept-new'}"]
    options += [] if spec.agent else ["IdentitiesOnly=yes"]
    identities = [path.expanduser() for path in (*spec.key_files, endpoint.key_file) if path is not None]
    jumps = ",".join(f"{bastion.user}@{bastion.host}:{bastion.port or 22}" for bastion in spec.bastions)
    return [
        *("ssh", "-F", "none", "-p", str(port), "-l", spec.user or endpoint.user),
        *(word for path in identities for word in ("-i", str(path))),
        *(word for option in options for word in ("-o", option)),
        *(("-J", jumps) if jumps else ()),
        host,
    ]
