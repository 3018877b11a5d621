"""Which host programs packerpy calls, and whether they are there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from packerpy.contracts import DescribesTools
from packerpy.declare import Image
from packerpy.registry import as_post, as_spec, registered
from packerpy.values import HostTool

_BASIC = (HostTool(name="setpriv", package="util-linux", needed_for="ending programs when packerpy dies"),)
OPTIONAL = (HostTool(name="dot", package="graphviz", needed_for="pictures of a plan (optional)"),)
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_PATIENCE = 5.0
"""Seconds that a program gets to say its version."""


@attrs.frozen(kw_only=True)
class Found:
    """A program and what became of the search for it.

    :ivar tool: what was looked for; ``needed_for`` names all that need it.
    :ivar path: where it is; empty when it is missing.
    :ivar version: what it says of itself; empty when it does not tell.
    :ivar optional: whether packerpy does without.
    """

    tool: HostTool
    path: str = ""
    version: str = ""
    optional: bool = False


def needed(images: Iterable[Image] | None) -> tuple[HostTool, ...]:
    """What some images need, or, given ``None``, what all plug-ins could need; each program once."""
    tools = [*_BASIC, *(_of_images(images) if images is not None else _of_registry())]
    merged: dict[str, list[HostTool]] = {}
    for tool in tools:
        merged.setdefault(tool.name, []).append(tool)
    return tuple(_merge(same) for _, same in sorted(merged.items()))


def _merge(same: list[HostTool]) -> HostTool:
    purposes = dict.fromkeys(tool.needed_for for tool in same if tool.needed_for)
    return attrs.evolve(same[0], needed_for=", ".join(purposes))


def _of_images(images: Iterable[Image]) -> Iterator[HostTool]:
    for image in images:
        steps = (as_spec(step) for step in (*image.provision, *image.tests))
        tested_on = (image.test_on,) if image.test_on is not None else ()
        for spec in (*image.sources, *tested_on, *steps, *(as_post(item) for chain in image.post for item in chain)):
            if isinstance(spec, DescribesTools):
                yield from spec.tools()


def _of_registry() -> Iterator[HostTool]:
    for entry in registered():
        if issubclass(entry.cls, DescribesTools):
            yield from _tools_of_class(entry.cls)


def _tools_of_class(cls: Any) -> list[HostTool]:
    """The tools of a declaration with nothing but its defaults; fields that have none are left empty.

    Such a declaration cannot be made by its constructor, and one that needs an empty field to know its tools has none
    to tell here.
    """
    blank = object.__new__(cls)
    for field in attrs.fields(cls):
        object.__setattr__(blank, field.name, _default(field))
    try:
        return list(blank.tools())
    except Exception:  # noqa: BLE001  see above
        return []


def _default(field: attrs.Attribute[Any]) -> Any:
    factory = getattr(field.default, "factory", None)
    if factory is not None:
        return None if getattr(field.default, "takes_self", False) else factory()
    return None if field.default is attrs.NOTHING else field.default


def look(tool: HostTool, *, optional: bool = False) -> Found:
    """Search for a program where packerpy does, and ask it for its version."""
    path = shutil.which(tool.name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        return Found(tool=tool, optional=optional)
    return Found(tool=tool, path=path, version=_version(path), optional=optional)


def _version(path: str) -> str:
    for option in ("--version", "-V"):
        try:
            said = subprocess.run(
                [path, option], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = _VERSION.search(said.stdout or said.stderr)
        if said.returncode == 0 and found:
            return found.group()
    return ""
