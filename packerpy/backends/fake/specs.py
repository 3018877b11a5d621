"""The declaration of a fake machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

import attrs

from packerpy.contracts import Source, SourceSpec
from packerpy.declare import Output
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.declare.fields import known, optional_path
from packerpy.values import Artifact, Problem, Resources, Support

Phase = Literal["preflight", "boot", "connect", "command", "capture"]


@declaration(kw_only=True)
class Fake(SourceSpec):
    """A machine that is a folder; its shell runs nothing and remembers every command in ``commands.log``.

    :param disk: another image's output whose files it starts with.
    :param content: what is in its file ``/content`` at the start.
    :param fail: the phase in which it fails.
    :param fail_on: a regular expression; a command in which it finds a match ends with exit code 1.
    :param boot_seconds: how long booting takes; a cancel ends it at once.
    :param memory: bytes of the host it claims to need.
    :param cpus: processors of the host it claims to need.
    :param remote: a folder that stands for a platform which keeps its images itself: the artifact has no files here.
    :param layers: ``live`` saves the machine after each step, ``off`` does not.
    """

    kind: ClassVar[str] = "fake"
    support: ClassVar[tuple[Support, ...]] = (Support("`Fake`", "itself", "run"),)

    disk: Output | Artifact | None = None
    content: str = ""
    fail: Phase | None = None
    fail_on: str | None = None
    boot_seconds: float = 0.0
    memory: int = 0
    cpus: float = 0.0
    remote: Path | None = attrs.field(default=None, converter=optional_path)
    layers: Literal["live", "off"] = "off"
    name: str = attrs.field(default="", metadata=FROM_CALLER)

    def check(self) -> Iterable[Problem]:
        """Times and sizes are not negative."""
        if self.boot_seconds < 0:
            yield Problem(where="boot_seconds", what="is negative", seen=str(self.boot_seconds), fix="use 0 or more")
        if self.memory < 0:
            yield Problem(where="memory", what="is negative", seen=str(self.memory), fix="use 0 or more bytes")

    def resources(self) -> Resources:
        """As declared."""
        return Resources(memory=self.memory if known(self.memory) else 0, cpus=self.cpus if known(self.cpus) else 0.0)

    def for_test(self, artifact: Artifact) -> Fake:
        """The same machine, started with the artifact's files."""
        return attrs.evolve(self, disk=artifact)

    def reads(self) -> Iterable[Path]:
        """Nothing of the host."""
        return ()

    def load(self) -> Source:
        """The worker."""
        from packerpy.backends.fake.source import FakeSource

        return FakeSource(self)
