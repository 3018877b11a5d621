"""The list of everything that can be declared."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Literal

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare import Data
from packerpy.errors import PluginError

Role = Literal["source", "communicator", "provisioner", "post-processor", "data"]

_FOLDERS: dict[str, Role] = {
    "packerpy.backends": "source",
    "packerpy.communicators": "communicator",
    "packerpy.provisioners": "provisioner",
    "packerpy.postprocessors": "post-processor",
    "packerpy.data": "data",
}


@attrs.frozen
class Registered:
    """A declaration class that can be used.

    :ivar kind: its name, such as ``qemu``.
    :ivar role: what it is for.
    :ivar cls: the class.
    """

    kind: str
    role: Role
    cls: type


@cache
def registered() -> tuple[Registered, ...]:
    """All of them, by role and kind.

    :raises PluginError: a plug-in does not keep to its contract, or two claim the same kind.
    """
    found: dict[tuple[str, str], Registered] = {}
    for entry in (*_built_in(), *_third_party()):
        key = (entry.role, entry.kind)
        if key in found and found[key].cls is not entry.cls:
            raise PluginError(
                f"two plug-ins claim the {entry.role} {entry.kind!r}",
                details=f"{found[key].cls.__module__} and {entry.cls.__module__}",
                resolution="uninstall one of them",
            )
        found[key] = entry
    return tuple(found[key] for key in sorted(found))


def _built_in() -> Iterator[Registered]:
    for folder, role in _FOLDERS.items():
        package = import_module(folder)
        for info in pkgutil.iter_modules(package.__path__):
            if info.ispkg:
                yield from _declarations(import_module(f"{folder}.{info.name}"), role)


def _third_party() -> Iterator[Registered]:
    """An entry point names a module; its name is ``role.anything``, e.g. ``source.mycloud``."""
    for entry in entry_points(group="packerpy.plugins"):
        role = entry.name.partition(".")[0]
        if role not in _FOLDERS.values():
            raise PluginError(
                f"the entry point {entry.name!r} does not say what it is",
                resolution=f"its name must start with one of {', '.join(sorted(set(_FOLDERS.values())))}, then a dot",
            )
        yield from _declarations(entry.load(), role)  # type: ignore[arg-type]


def _declarations(module: ModuleType, role: Role) -> Iterator[Registered]:
    """What a module declares; data sources and post-processors are such wherever they lie: platforms have some."""
    for name in getattr(module, "__all__", ()):
        cls = getattr(module, name)
        kind = getattr(cls, "kind", None)
        if not isinstance(cls, type) or not isinstance(kind, str):
            continue
        missing = [method for method in ("check", "load") if not callable(getattr(cls, method, None))]
        if missing or not attrs.has(cls) or cls.__setattr__ is object.__setattr__:
            raise PluginError(
                f"{module.__name__}.{name} is not a declaration",
                details=f"missing: {', '.join(missing)}" if missing else "it is not a frozen attrs class",
            )
        yield Registered(kind, _role(cls, role), cls)


def _role(cls: type, role: Role) -> Role:
    if issubclass(cls, Data):
        return "data"
    return "post-processor" if PostProcessorSpec in cls.__mro__ else role
