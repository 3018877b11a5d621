"""Puts the values of a build into a step, at the moment when it runs."""

from __future__ import annotations

from functools import partial
from typing import Any

from packerpy.contracts import Run
from packerpy.declare import BuildValue, Later, Secret
from packerpy.declare.fill import fill
from packerpy.errors import ProvisionError, ValidationError
from packerpy.kit.choices import suggestion
from packerpy.kit.ssh_keys import public_of
from packerpy.values import Machine, Problem


def ready(run: Run, spec: Any, machine: Machine | None) -> Any:
    """The declaration with every value of the build filled in, and checked again if there were any.

    :param machine: ``None`` for what runs without one.
    :raises ProvisionError: the build does not know such a value.
    :raises ValidationError: the declaration makes no sense with it.
    """
    problems: list[Problem] = []
    filled = fill(spec, lambda later: _value(run, later, machine), problems=problems)
    if filled is not spec and not problems:
        problems += filled.check()
    if problems:
        raise ValidationError(problems)
    return filled


def _value(run: Run, later: Later, machine: Machine | None) -> object:
    if not isinstance(later, BuildValue):
        return later
    values = _values(run, machine)
    name = later.name.removeprefix("fact:")
    value = values.get(name)
    if value is None:
        raise ProvisionError(
            f"this build has no {name}",
            details=f"{run.name} is used with {later.shown}",
            resolution=suggestion(name, sorted(key for key, known in values.items() if known is not None)),
        )
    return value() if isinstance(value, partial) else value


def _values(run: Run, machine: Machine | None) -> dict[str, object]:
    if machine is None:
        return {"run": run.id}
    endpoint = machine.endpoint
    key = endpoint.key_file
    return {
        **machine.facts,
        "run": run.id,
        "id": machine.id,
        "host": endpoint.host,
        "port": endpoint.port,
        "user": endpoint.user,
        "connection": machine.communicator.kind,
        "password": _password(machine),
        "ssh_key": Secret(file=key) if key is not None else None,
        "ssh_public_key": partial(public_of, key) if key is not None else None,
        "ssh_key_file": str(key) if key is not None else None,
    }


def _password(machine: Machine) -> Secret | None:
    """What the communicator was declared with, or what its platform gave it."""
    password: Secret | str | None = getattr(machine.communicator, "password", None)
    return Secret(value=password) if isinstance(password, str) else password
