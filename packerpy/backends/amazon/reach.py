"""The way to an instance that runs: address or tunnel, user, key or password."""

from __future__ import annotations

from typing import Any, cast

import attrs

from packerpy.backends.amazon import tunnel
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import NoAddress
from packerpy.backends.amazon.password import password
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.communicators.ssh import SSH
from packerpy.contracts import CommunicatorSpec
from packerpy.declare import Secret
from packerpy.kit.ssh_keys import KeyPair
from packerpy.values import Endpoint

_ADMINISTRATOR = "Administrator"
_WINRM_PORT = 5986

_ADDRESSES = {
    "public_ip": "PublicIpAddress",
    "private_ip": "PrivateIpAddress",
    "public_dns": "PublicDnsName",
    "private_dns": "PrivateDnsName",
    "ipv6": "Ipv6Address",
}


@attrs.frozen(kw_only=True)
class Way:
    """Where, and how."""

    endpoint: Endpoint
    communicator: CommunicatorSpec


def communicator(spec: MachineOptions) -> CommunicatorSpec:
    """The declared one, else SSH."""
    return spec.communicator if spec.communicator is not None else SSH()


def port(spec: MachineOptions) -> int:
    """The communicator's, as the instance sees it."""
    declared = getattr(spec.communicator, "port", None)
    if declared:
        return int(declared)
    if communicator(spec).kind == "ssh":
        return 22
    return _WINRM_PORT if getattr(spec.communicator, "tls", True) else _WINRM_PORT - 1


def way(at: Cloud, spec: MachineOptions, told: Any, key: KeyPair | None) -> Way:
    """Open what must be opened, and wait for the password where one is needed.

    :param told: what EC2 says of the running instance.
    :param key: the temporary key pair.
    """
    how = communicator(spec)
    user = str(spec.user or getattr(how, "user", None) or ("root" if how.kind != "winrm" else _ADMINISTRATOR))
    file = key.private if key is not None else None
    if spec.tells_password and key is not None:
        secret = Secret(value=password(at, str(told["InstanceId"]), key.private, spec.password_timeout))
        how, file = _changed(how, user=user, password=secret), None
    if spec.ssh_interface == "session_manager":
        local = tunnel.opened(at, str(told["InstanceId"]), port(spec))
        here = Endpoint(host="127.0.0.1", port=local, user=user, key_file=file)
        return Way(endpoint=here, communicator=_changed(how, port=None))
    return Way(endpoint=Endpoint(host=_host(spec, told), port=22, user=user, key_file=file), communicator=how)


def _changed(how: CommunicatorSpec, **fields: Any) -> CommunicatorSpec:
    changed: CommunicatorSpec = attrs.evolve(cast(Any, how), **fields)
    return changed


def _host(spec: MachineOptions, told: Any) -> str:
    kind = communicator(spec).kind
    if kind == "none" or getattr(spec.communicator, "host", None):
        return ""
    if spec.ssh_interface is not None:
        name = _ADDRESSES[spec.ssh_interface]
        address = told.get(name)
        if not address:
            raise NoAddress(str(told["InstanceId"]), spec.ssh_interface)
        return str(address)
    address = told.get("PublicIpAddress") or told.get("PrivateIpAddress")
    if not address:
        raise NoAddress(str(told["InstanceId"]), "address")
    return str(address)
