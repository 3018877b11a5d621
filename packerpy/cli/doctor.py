"""``packerpy doctor``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from packerpy.cli.load import load
from packerpy.cli.tools import OPTIONAL, Found, look, needed
from packerpy.errors import PluginError


def doctor(
    file: Annotated[str | None, Parameter(help="Only what the images of this file need.")] = None,
    /,
    *,
    install: Annotated[bool, Parameter(negative=(), help="Install what is missing (root or sudo).")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), help="For programs.")] = False,
) -> int:
    """Look for the programs of the host that packerpy calls; exit code 3 when one is missing."""
    images = load(file).images if file is not None else None
    found = _look(images)
    if install and _missing(found):
        _install(_missing(found))
        found = _look(images)
    print(_as_json(found)) if as_json else _show(found)  # noqa: T201
    return PluginError.exit_code if _missing(found) else 0


def _look(images: Sequence[object] | None) -> list[Found]:
    tools = needed(images)  # type: ignore[arg-type]
    return [*(look(tool) for tool in tools), *(look(tool, optional=True) for tool in OPTIONAL)]


def _missing(found: Sequence[Found]) -> list[str]:
    """The packages that hold what is missing and needed."""
    return sorted({one.tool.package for one in found if not one.path and not one.optional})


def _command(packages: Sequence[str]) -> list[str]:
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages]


def _install(packages: Sequence[str]) -> None:
    """Have apt-get install packages, its output passing through.

    :raises PluginError: there is no apt-get or no right to use it, or it failed.
    """
    if shutil.which("apt-get") is None:
        raise PluginError("there is no apt-get here", resolution=f"install by other means: {', '.join(packages)}")
    prefix: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise PluginError(
                "installing needs root, and there is no sudo", resolution=f"as root: {' '.join(_command(packages))}"
            )
        prefix = ["sudo", "--preserve-env=DEBIAN_FRONTEND"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "--quiet"], _command(packages)):
        line = [*prefix, *command]
        print(f"+ {' '.join(line)}", file=sys.stderr)  # noqa: T201
        ended = subprocess.run(line, env=environment, check=False, stdout=2)
        if ended.returncode != 0:
            raise PluginError(
                f"{' '.join(command[:2])} failed with exit code {ended.returncode}",
                resolution="its own words stand above",
            )


def _as_json(found: Sequence[Found]) -> str:
    tools = [
        {
            "name": one.tool.name,
            "package": one.tool.package,
            "needed_for": one.tool.needed_for,
            "optional": one.optional,
            "path": one.path or None,
            "version": one.version or None,
        }
        for one in found
    ]
    return json.dumps({"tools": tools, "missing": _missing(found)}, indent=2)


def _show(found: Sequence[Found]) -> None:
    from rich.console import Console  # takes long to import, and the other verbs import this file
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if os.isatty(1) else 160)
    table = Table(box=None, pad_edge=False)
    for heading in ("program", "is", "version", "package", "needed for"):
        table.add_column(heading, overflow="fold")
    for one in found:
        table.add_row(
            *map(Text, (one.tool.name, one.path or "MISSING", one.version, one.tool.package, one.tool.needed_for))
        )
    console.print(table)
    missing = _missing(found)
    if missing:
        console.print(Text(f"\nmissing; install with: {' '.join(_command(missing))}"), soft_wrap=True)
        console.print(Text("or: packerpy doctor --install"))
