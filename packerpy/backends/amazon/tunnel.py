"""A way to an instance by Session Manager: no address, no open port, no route."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.specs.machine import SESSION_MANAGER_PLUGIN
from packerpy.backends.amazon.steps.data_channel import IN_ENVIRONMENT, OpenChannel, environment_of
from packerpy.backends.amazon.steps.session import Session, StartSession
from packerpy.backends.amazon.tags import new_token
from packerpy.errors import PluginError
from packerpy.kit import process
from packerpy.values import Problem

_OLDEST = (1, 2, 497, 0)
"""The last version of the plug-in that takes the session's token on its command line only."""


def opened(at: Cloud, instance: str, port: int) -> int:
    """Carry a port of an instance here; answers the port on this host's loopback."""
    start = StartSession(access=at.access, region=at.region, token=new_token(), instance=instance, port=port)
    session = at.run.do(start)
    return at.run.do(_channel(at, start, session)).port


def _channel(at: Cloud, start: StartSession, session: Session) -> OpenChannel:
    target = {
        "Target": start.instance,
        "DocumentName": start.DOCUMENT,
        "Reason": start.reason,
        "Parameters": {"portNumber": [str(start.port)]},
    }
    credentials = at.credentials()
    path = at.run.workdir / start.reason
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(environment_of(session, credentials), file)
    argv = (
        _plugin(),
        IN_ENVIRONMENT,
        at.region,
        "StartSession",
        "",  # no profile: the credentials are in its environment
        json.dumps(target),
        at.endpoint("ssm"),
    )
    return OpenChannel(argv=argv, environment=path)


def _plugin() -> str:
    tool = SESSION_MANAGER_PLUGIN
    return process.find_tool(tool.name, package=tool.package, needed_for=tool.needed_for)


def problems() -> Iterable[Problem]:
    """Whether this host has the program, and not too old a one."""
    where = "ssh_interface"
    try:
        told = subprocess.run([_plugin(), "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except PluginError as error:
        fix = "it is Amazon's own package, from their page on the Session Manager plugin"
        yield Problem(where=where, what=error.brief, fix=fix)
        return
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Problem(where=where, what=f"{SESSION_MANAGER_PLUGIN.name} does not run: {error}", fix="install it anew")
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", told)[:4])
    if numbers <= _OLDEST:
        fix = (
            f"install one after {'.'.join(map(str, _OLDEST))}: older ones show the session's token in the process list"
        )
        yield Problem(where=where, what=f"{SESSION_MANAGER_PLUGIN.name} is too old", seen=told.strip(), fix=fix)
