"""What can be wrong with how an instance is reached and what it may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from packerpy.backends.amazon.specs.fields import policy_problems
from packerpy.backends.amazon.specs.machine import Interface, MachineOptions
from packerpy.values import Problem

_TOLD_BY_WINDOWS = ("user", "password")


def login_problems(spec: MachineOptions) -> Iterable[Problem]:
    """All of it."""
    yield from _communicator(spec)
    yield from _key_pair(spec)
    if spec.ssh_interface is not None and spec.ssh_interface not in get_args(Interface):
        fix = f"use one of {', '.join(get_args(Interface))}"
        yield Problem(where="ssh_interface", what="is no interface", seen=repr(spec.ssh_interface), fix=fix)
    if spec.ssh_interface == "session_manager":
        yield from _session_manager(spec)
    if spec.temporary_policy is not None and spec.iam_instance_profile is not None:
        fix = "give one of them"
        yield Problem(where="temporary_policy", what="does not go with iam_instance_profile", fix=fix)
    yield from policy_problems("temporary_policy", spec.temporary_policy)
    if not spec.password_timeout > 0:
        seen = str(spec.password_timeout)
        yield Problem(where="password_timeout", what="must be more than 0 seconds", seen=seen)


def _communicator(spec: MachineOptions) -> Iterable[Problem]:
    communicator = spec.communicator
    if communicator is not None:
        for problem in communicator.check():
            if not (spec.tells_password and problem.where in _TOLD_BY_WINDOWS):
                yield problem.within("communicator")
    kind = "ssh" if communicator is None else communicator.kind
    if kind == "ssh" and not (spec.user or getattr(communicator, "user", None)):
        fix = 'give the image\'s login name: user="admin" for Debian, "ubuntu", "ec2-user"'
        yield Problem(where="user", what="is missing", fix=fix)


def _key_pair(spec: MachineOptions) -> Iterable[Problem]:
    if spec.key_pair is None:
        made = getattr(spec.communicator, "made_key", "ed25519")
        if made == "ecdsa":
            fix = 'use made_key="ed25519" or "rsa"'
            yield Problem(where="communicator.made_key", what="is a kind that EC2 does not take", seen=made, fix=fix)
        return
    communicator = spec.communicator
    kind = "ssh" if communicator is None else communicator.kind
    own_key = any(getattr(communicator, name, None) for name in ("key_files", "password", "agent"))
    if kind == "ssh" and not own_key:
        fix = "add communicator=SSH(key_files=…), or leave key_pair out to have a temporary one"
        yield Problem(where="key_pair", what="has its private half nowhere", seen=spec.key_pair, fix=fix)
    if spec.tells_password:
        fix = "leave key_pair out to have a temporary one, or add communicator=WinRM(password=…)"
        yield Problem(where="key_pair", what="cannot decrypt the password", seen=spec.key_pair, fix=fix)


def _session_manager(spec: MachineOptions) -> Iterable[Problem]:
    where = "ssh_interface"
    communicator = spec.communicator
    if communicator is not None and communicator.kind != "ssh":
        fix = "use communicator=SSH(…), or another interface"
        yield Problem(where=where, what="session_manager carries SSH only", seen=communicator.kind, fix=fix)
    if getattr(communicator, "host", None):
        fix = "leave the communicator's host out: the tunnel is the address"
        yield Problem(where=where, what="session_manager does not go with an address", fix=fix)
    if spec.iam_instance_profile is None and spec.temporary_policy is None:
        fix = "give iam_instance_profile, or a temporary_policy, that lets the agent reach Systems Manager"
        yield Problem(where=where, what="session_manager needs an instance profile", fix=fix)
