"""What a build answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.plan import Plan
from packerpy.values import Artifact


@attrs.frozen(kw_only=True)
class BuildResult:
    """What a run delivered.

    :ivar run: the run's token.
    :ivar artifacts: build → its artifacts: the source's own first, then those of each post-processing chain.
    :ivar reused: builds that were delivered earlier and are unchanged.
    :ivar seconds: how long the run took.
    :ivar plan: what was planned.
    """

    run: str
    artifacts: Mapping[str, tuple[Artifact, ...]]
    reused: tuple[str, ...]
    seconds: float
    plan: Plan = attrs.field(repr=False, eq=False)

    def files(self, build: str | None = None) -> tuple[Path, ...]:
        """All files of a build, or of all builds."""
        chosen = [self.artifacts[build]] if build is not None else list(self.artifacts.values())
        return tuple(dict.fromkeys(path for artifacts in chosen for a in artifacts for path in a.files))
