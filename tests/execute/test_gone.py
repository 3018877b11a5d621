"""Artifacts that a platform keeps: re-used while they are there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import packerpy as pp
from packerpy import events
from tests.execute.conftest import Builder


def _ran(builder: Builder) -> list[str]:
    done = [event.task for event in builder.of(events.TaskFinished) if event.status == "done"]
    builder.events.clear()
    return done


@pytest.mark.parametrize("layers", ["live", "off"])
def test_what_is_gone_is_made_again(builder: Builder, tmp_path: Path, layers: str) -> None:
    """Without being told to, with the reason in the plan; and from then on it is re-used again."""
    remote = tmp_path / "remote"
    image = pp.Image("web", pp.Fake(remote=remote, layers=layers), provision=[pp.Shell("true")])
    (artifact,) = builder(image).artifacts["web"]
    assert artifact.files == ()
    assert [path.name for path in remote.iterdir()] == [artifact.id]
    builder.events.clear()
    assert builder(image).reused == ("web",)
    assert _ran(builder) == []

    shutil.rmtree(remote / artifact.id)
    planned = builder.plan(image)
    reasons = {task.reason for task in planned.tasks if task.action == "run"}
    assert f"the image {artifact.id} is gone" in reasons
    (again,) = builder(image).artifacts["web"]
    assert again.id != artifact.id
    assert "web/capture" in _ran(builder)
    assert builder(image).artifacts["web"] == (again,)
    assert _ran(builder) == []
    assert [path.name for path in remote.iterdir()] == [again.id]


def test_a_stored_image_that_is_gone(builder: Builder, tmp_path: Path) -> None:
    """Also where only a post-processor was edited: what it would have worked on is made again."""
    remote = tmp_path / "remote"

    def image(word: str) -> pp.Image:
        return pp.Image("web", pp.Fake(remote=remote), post=[pp.Manifest(custom_data={"word": word})])

    builder(image("one"))
    (kept,) = remote.iterdir()
    builder.events.clear()
    builder(image("two"), force=True)
    assert "web/capture" not in _ran(builder)
    shutil.rmtree(kept)
    builder(image("three"), force=True)
    assert "web/capture" in _ran(builder)
    assert [path.exists() for path in remote.iterdir()] == [True]
