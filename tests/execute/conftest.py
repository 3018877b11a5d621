"""A builder with folders of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.events import Event


@attrs.define
class Builder:
    """Calls ``pp.build`` with its own output and cache folder, and keeps the events."""

    folder: Path
    scratch: Path
    events: list[Event] = attrs.Factory(list)

    def __call__(self, *targets: Any, **options: Any) -> pp.BuildResult:
        listeners = [self.events.append, *options.pop("listeners", ())]
        options = {"output": self.folder / "output", "cache": self.folder / "cache", "listeners": listeners, **options}
        return pp.build(*targets, **options)

    def plan(self, *targets: Any, **options: Any) -> Any:
        """``pp.plan`` with the same folders."""
        return pp.plan(*targets, **{"output": self.folder / "output", "cache": self.folder / "cache", **options})

    def of(self, kind: type[Event]) -> list[Any]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def leftovers(self) -> list[str]:
        """Hidden things in the output folder and work folders of ours that are still there."""
        output = self.folder / "output"
        hidden = [path.name for path in output.iterdir() if path.name.startswith(".")] if output.exists() else []
        scratch = [path.name for path in self.scratch.iterdir()]
        return hidden + scratch


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Builder]:
    """A builder with a scratch folder of its own, whose path is short enough for sockets."""
    scratch = Path(tempfile.mkdtemp(prefix="pp-"))
    monkeypatch.setenv("TMPDIR", str(scratch))
    yield Builder(tmp_path, scratch)
    shutil.rmtree(scratch)
