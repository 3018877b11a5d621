"""Plug-ins are found, and checked when they are found."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import ClassVar

import attrs
import pytest

import packerpy as pp
from packerpy.errors import PluginError
from packerpy.postprocessors.shell_local import ShellLocal as PostShellLocal
from packerpy.provisioners.python import Function
from packerpy.registry import as_post, as_spec, registered
from packerpy.registry.find import _declarations


def test_built_ins_are_found() -> None:
    """Every built-in is there without a list anybody has to keep."""
    kinds = {(entry.role, entry.kind) for entry in registered()}
    assert ("source", "qemu") in kinds
    assert ("source", "fake") in kinds
    assert ("provisioner", "shell") in kinds
    assert ("post-processor", "manifest") in kinds


def test_a_plugin_without_load_is_refused() -> None:
    """It is told when it is registered, not in the middle of a build."""

    class Half:
        kind = "half"

        def check(self) -> tuple[()]:
            return ()

    module = types.ModuleType("thirdparty")
    module.Half = Half  # type: ignore[attr-defined]
    module.__all__ = ["Half"]  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="missing: load"):
        list(_declarations(module, "source"))


def test_a_host_script_is_a_post_processor_where_it_stands_as_one() -> None:
    """The step of that name and the post-processor of that name are one word for their users."""

    @attrs.frozen
    class ShellLocal:
        kind: ClassVar[str] = "shell-local"
        inline: tuple[str, ...]
        env: Mapping[str, str]
        unknown: int = 0

    made = as_post(ShellLocal(("true",), {"A": "b"}))
    assert made == PostShellLocal("true", env={"A": "b"})
    assert as_post(made) is made


def test_functions_become_steps() -> None:
    """A function is wrapped, a declaration is not."""

    def step(c: object) -> None:
        del c

    assert as_spec(step) == Function(step)
    check = pp.Check("true")
    assert as_spec(check) is check
