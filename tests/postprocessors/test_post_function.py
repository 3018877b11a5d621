"""Plain functions as post-processors."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.contracts import Run
from packerpy.errors import CancelledError, PostProcessError
from packerpy.events import TaskMessage
from packerpy.testing import TestRun
from packerpy.values import Processed
from tests.execute.conftest import Builder, builder

__all__ = ["builder"]


def sign(artifact: pp.Artifact, run: Run) -> list[Path]:
    """Makes a file beside each."""
    made = []
    for path in artifact.files:
        target = run.staging / f"{path.name}.sig"
        target.write_text(f"signed {path.name}")
        made.append(target)
    run.say("signed")
    return [*artifact.files, *made]


def look(artifact: pp.Artifact) -> None:
    """Answers nothing."""
    assert artifact.files


def image(*post: Any) -> pp.Image:
    """An image of the fake platform."""
    return pp.Image("web", pp.Fake(content="hello"), post=post)


def test_in_a_whole_build(builder: Builder) -> None:
    """A function stands in a chain between declarations; what it made is delivered and goes to the next."""
    result = builder(image([sign, look, pp.Checksum()]))
    names = {path.name for path in result.files("web")}
    (disk,) = (name for name in names if f"{name}.sig" in names)
    assert names == {disk, f"{disk}.sig", f"{disk}.sha256", f"{disk}.sig.sha256"}
    assert any(event.text == "signed" for event in builder.of(TaskMessage))
    assert builder(image([sign, look, pp.Checksum()])).reused == ("web",)


def test_its_text_is_its_key(builder: Builder) -> None:
    """A function that does something else makes the build run again; the plan names it."""

    def make(word: str) -> Any:
        def step(artifact: pp.Artifact) -> None:
            assert word

        return step

    builder(image(make("a")))
    again = builder.plan(image(make("b")))
    assert again.tasks[-1].action == "run"
    reasons = [task.reason for task in again.tasks if task.action == "run"]
    assert "step()" in reasons[0]
    assert builder.plan(image(make("a"))).tasks[-1].action == "reuse"


def test_answers(run: TestRun, disk: pp.Artifact, tmp_path: Path) -> None:
    """Nothing, a path, several, an artifact, and what a declaration's worker answers."""
    other = tmp_path / "other"
    other.touch()

    def answering(value: object) -> Processed:
        return pp.PostFunction(lambda artifact: value).load().process(run, disk)

    assert answering(None) == Processed(artifact=disk, needs_input=True)
    assert answering(other).artifact.files == (other,)
    assert "disk" not in answering(str(other)).artifact.outputs
    assert answering([disk.files[0], other]).artifact.outputs["disk"] == disk.outputs["disk"]
    assert answering(disk) == Processed(artifact=disk)
    assert answering(Processed(artifact=disk, needs_input=True)).needs_input
    for nonsense in (3, [], [3], object()):
        with pytest.raises(PostProcessError, match="not an artifact"):
            answering(nonsense)
    with pytest.raises(PostProcessError, match="not there"):
        answering(tmp_path / "nothing")


def test_arguments(run: TestRun, disk: pp.Artifact) -> None:
    """One or two; others can be bound; more is a problem found before anything runs."""
    seen = []
    bound = functools.partial(lambda word, artifact, run: seen.append((word, run)), "x")
    pp.PostFunction(bound).load().process(run, disk)
    assert seen == [("x", run)]
    assert list(pp.PostFunction(bound).check()) == []
    for bad in (lambda: None, lambda a, b, c: None):
        (problem,) = pp.PostFunction(bad).check()
        assert "artifact" in problem.what
    assert [p.where for p in pp.validate(image(lambda: None))] == ["web.post[0]"]


def test_a_failure_shows_the_users_lines(run: TestRun, disk: pp.Artifact) -> None:
    """What it raises is the error's first line, with the traceback of its own frames only."""

    def bad(artifact: pp.Artifact) -> None:
        raise ValueError("no such bucket")

    with pytest.raises(PostProcessError, match=r"bad\(\) raised ValueError: no such bucket") as raised:
        pp.PostFunction(bad).load().process(run, disk)
    assert "worker.py" not in (raised.value.details or "")
    assert 'raise ValueError("no such bucket")' in (raised.value.details or "")


def test_a_cancel_is_a_cancel(run: TestRun, disk: pp.Artifact) -> None:
    """A function that breaks because it was cancelled is told as cancelled."""

    def interrupted(artifact: pp.Artifact, run: TestRun) -> None:
        run.cancellation.request()
        raise ConnectionError("hung up")

    with pytest.raises(CancelledError):
        pp.PostFunction(interrupted).load().process(run, disk)


def test_chains_run_at_the_same_time(builder: Builder) -> None:
    """Packer runs its sequences one after another; here each of two waits until the other is there, too."""
    meeting = threading.Barrier(2, timeout=30)

    def one(artifact: pp.Artifact) -> None:
        meeting.wait()

    def other(artifact: pp.Artifact) -> None:
        meeting.wait()

    builder(image(one, other), jobs=2)
