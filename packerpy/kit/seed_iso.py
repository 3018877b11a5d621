"""Seed media: a small ISO 9660 image that tells a guest at its first boot who may log in.

One image serves two readers: cloud-init's NoCloud data source (``user-data``, ``meta-data``) and the light first-boot
unit of our own base images (the folder ``packerpy/``). Both look for the volume label ``cidata``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.kit import iso

LABEL = "cidata"


@attrs.frozen(kw_only=True)
class SeedData:
    """What a guest is told.

    :ivar instance: a new name for every boot of a fresh copy; cloud-init acts anew when it changes.
    :ivar hostname: the guest's name while it is built.
    :ivar user: who logs in; made by cloud-init if missing, with passwordless sudo.
    :ivar authorized_key: the public key that is let in.
    :ivar host_key: the guest's private host key (ed25519, OpenSSH's format).
    :ivar host_key_public: its public half.
    """

    instance: str
    hostname: str
    user: str
    authorized_key: str
    host_key: str = attrs.field(repr=False)
    host_key_public: str


def nocloud_files(data: SeedData) -> dict[str, bytes]:
    """The files that cloud-init's NoCloud data source reads."""
    account: dict[str, object] = {"name": data.user, "ssh_authorized_keys": [data.authorized_key]}
    if data.user != "root":
        # A group of that name may exist already, as `operator` does in Debian: then no account would be made with its
        # own, and what stands in `groups` is made only if it is missing.
        account |= {"primary_group": data.user, "groups": [data.user]}
        account |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/bash", "lock_passwd": True}
    config = {
        "disable_root": data.user != "root",
        "users": [account],
        "ssh_pwauth": False,
        "ssh_keys": {"ed25519_private": data.host_key, "ed25519_public": data.host_key_public},
    }
    meta = {"instance-id": data.instance, "local-hostname": data.hostname}
    # JSON is YAML, and needs no other library to be written safely.
    return {
        "user-data": b"#cloud-config\n" + json.dumps(config, indent=1).encode() + b"\n",
        "meta-data": json.dumps(meta).encode() + b"\n",
    }


def packerpy_files(data: SeedData) -> dict[str, bytes]:
    """The files that the first-boot unit of our own base images reads."""
    texts = {
        "authorized_keys": data.authorized_key,
        "ssh_host_ed25519_key": data.host_key,
        "ssh_host_ed25519_key.pub": data.host_key_public,
        "hostname": data.hostname,
        "user": data.user,
    }
    return {f"packerpy/{name}": text.rstrip("\n").encode() + b"\n" for name, text in texts.items()}


def write_iso(target: Path, files: Mapping[str, bytes], *, label: str = LABEL) -> Path:
    """Write ``files`` as an image of that name, mode 0600."""
    return iso.write_iso(target, files, label=label)
