"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs

from packerpy.contracts import ProvisionerSpec, ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_path, optional_path, word_list
from packerpy.kit.scripts import missing
from packerpy.provisioners.common import comparable, freeze
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

_LEVELS = ("all", "garbage", "trace", "debug", "info", "warning", "error", "quiet")


@declaration
class Salt(ProvisionerSpec, ReadsFiles):
    """Applies states by ``salt-call --local`` in the machine, without a master.

    ``Salt("states", pillar={"role": "web"})``. States and pillar are uploaded, and removed afterwards.

    :param states: the folder of states; with a ``top.sls``, unless ``apply`` names some.
    :param apply: states to apply, in place of the highstate.
    :param pillar_folder: the folder of the pillar.
    :param pillar: further pillar values, nested or secret; they travel in a file.
    :param grains: grains of the machine.
    :param minion_config: a minion's configuration; what the step sets itself wins over it.
    :param install: by ``package``, the guest's own ``salt-minion``, or by ``script``, when Salt is not there yet.
    :param script: the script that installs it, a file of the host; run by ``/bin/sh`` as root.
    :param script_arguments: its arguments.
    :param options: further words of the command line.
    :param log_level: how much ``salt-call`` tells.
    :param command: the program in the machine.
    :param sudo: run it as root.
    """

    kind: ClassVar[str] = "salt"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Salt`", "Salt 3008 in a tree of Debian 12, and over SSH in a guest of it", "run"),
        Support("`Salt(install=…)`", "a channel that records the command lines", "simulated"),
    )

    states: Path = attrs.field(converter=host_path)
    apply: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    pillar_folder: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    pillar: Mapping[str, Any] = attrs.field(factory=dict, converter=freeze, eq=comparable, kw_only=True)
    grains: Mapping[str, Any] = attrs.field(factory=dict, converter=freeze, eq=comparable, kw_only=True)
    minion_config: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    install: Literal["package", "script"] | None = attrs.field(default=None, kw_only=True)
    script: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    script_arguments: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    options: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    log_level: str = attrs.field(default="warning", kw_only=True, metadata={"key": False})
    command: str = attrs.field(default="salt-call", kw_only=True)
    sudo: bool = attrs.field(default=True, kw_only=True)

    @property
    def title(self) -> str:
        """What is applied."""
        return f"salt: {', '.join(self.apply) or 'highstate'} of {self.states.name}"

    def reads(self) -> Iterable[Path]:
        """States, pillar, configuration, script."""
        optional = (self.pillar_folder, self.minion_config, self.script)
        return (self.states, *(path for path in optional if path is not None))

    def check(self) -> Iterable[Problem]:
        """Files that exist and belong together."""
        yield from missing("states", (self.states,), folder=True)
        yield from missing("pillar_folder", (self.pillar_folder,), folder=True)
        yield from missing("minion_config", (self.minion_config,))
        yield from missing("script", (self.script,))
        if not self.apply and self.states.is_dir() and not (self.states / "top.sls").is_file():
            yield Problem(where="states", what="has no top.sls", seen=str(self.states), fix="add one, or give apply=")
        if self.install not in (None, "package", "script"):
            yield Problem(where="install", what="unknown", seen=str(self.install), fix="use package or script")
        if (self.install == "script") != (self.script is not None):
            yield Problem(where="script", what='install="script" and script= belong together')
        if self.log_level not in _LEVELS:
            yield Problem(where="log_level", what="unknown", seen=self.log_level, fix=f"use {', '.join(_LEVELS)}")

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.salt.worker import SaltWorker

        return SaltWorker(self)
