"""Finished captures, tests and post-processors are not done again; what is asked for again is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.artifacts.results import ResultStore
from packerpy.contracts import PostProcessor, PostProcessorSpec, Run
from packerpy.values import Processed
from tests.execute.conftest import Builder


@attrs.frozen(kw_only=True)
class Note(PostProcessorSpec, PostProcessor):
    """Writes a file beside its input; fails while a file of the host is there."""

    kind: ClassVar[str] = "note"

    name: str
    fails_while: Path | None = attrs.field(default=None, metadata={"key": False})
    keep_input: bool | None = None

    @property
    def title(self) -> str:
        return f"note {self.name}"

    def check(self) -> tuple[pp.Problem, ...]:
        return ()

    def load(self) -> PostProcessor:
        return self

    def process(self, run: Run, artifact: pp.Artifact) -> Processed:
        if self.fails_while is not None and self.fails_while.exists():
            raise pp.BuildError("told to fail")
        target = run.staging / self.name
        target.write_text(f"{self.name} of {artifact.id}")
        return Processed(artifact=pp.Artifact(kind="files", id=self.name, files=(target,)))


def _ran(builder: Builder) -> list[str]:
    """The tasks that were really done, in order; then forget the events."""
    done = [event.task for event in builder.of(events.TaskFinished) if event.status == "done"]
    builder.events.clear()
    return done


def _check(c: Any) -> None:
    c.run("true")


def test_a_failed_post_processor_resumes(builder: Builder) -> None:
    """Neither the machine, nor the test, nor a finished post-processor is done again."""
    broken = builder.folder / "broken"
    broken.touch()
    image = pp.Image(
        "web",
        pp.Fake(content="x"),
        tests=[_check],
        post=[[Note(name="a"), Note(name="b", fails_while=broken)], Note(name="c")],
    )
    with pytest.raises(pp.BuildError, match="told to fail"):
        builder(image)
    assert {"web/capture", "web/test", "web/post-1.1"} <= set(_ran(builder))
    assert builder.leftovers == []
    assert not (builder.folder / "output" / "web").exists()
    broken.unlink()
    plan = builder.plan(image)
    assert [task.action for task in plan.tasks] == ["reuse"] * 4 + ["run", "reuse", "run"]
    assert plan.task("web/boot").reason == "its captured image is stored"
    result = builder(image)
    assert _ran(builder) == ["web/post-1.2", "web/deliver"]
    folder = builder.folder / "output" / "web"
    assert {path.name for path in folder.iterdir()} == {"web.tar", "a", "b", "c"}
    assert result.files("web") == tuple(folder / name for name in ("web.tar", "a", "b", "c"))
    assert (folder / "b").read_text() == "b of a"
    assert builder.leftovers == []


def test_an_edited_post_processor_runs_alone(builder: Builder) -> None:
    """The captured image comes from the store, with the same bytes."""
    first = builder(pp.Image("web", pp.Fake(content="x"), post=[Note(name="a", keep_input=False)]))
    assert [path.name for path in first.files()] == ["a"]
    _ran(builder)
    edited = pp.Image("web", pp.Fake(content="x"), post=[Note(name="b")])
    result = builder(edited, force=True)
    assert _ran(builder) == ["web/post-1", "web/deliver"]
    assert {path.name for path in result.files()} == {"web.tar", "b"}
    fresh = builder(pp.Image("web", pp.Fake(content="x")), output=builder.folder / "fresh", no_cache=True)
    assert result.files()[0].read_bytes() == fresh.files()[0].read_bytes()


def test_stored_results_take_no_room_of_their_own(builder: Builder) -> None:
    """They are other names of the files in the output folder."""
    result = builder(pp.Image("web", pp.Fake(content="x")))
    assert result.files()[0].stat().st_nlink == 2


def test_a_result_that_was_changed_is_not_used(builder: Builder) -> None:
    """Who writes into the delivered image, writes into the stored one: it is noticed, and the image is made again."""
    image = pp.Image("web", pp.Fake(content="x"))
    first = builder(image).files()[0]
    good = first.read_bytes()
    first.write_bytes(b"changed")
    _ran(builder)
    assert builder(image, force=True).files()[0].read_bytes() == good
    assert _ran(builder) == ["web/boot", "web/capture", "web/deliver"]


def test_only_the_post_processors_again(builder: Builder) -> None:
    """--only-post runs them though nothing changed, and nothing else."""
    image = pp.Image("web", pp.Fake(content="x"), post=[[Note(name="a"), Note(name="b")]])
    with pytest.raises(pp.PlanError, match="cannot be run: web/boot has to run first"):
        builder(image, only_post=True)
    builder(image)
    _ran(builder)
    builder(image, only_post=True, force=True)
    assert _ran(builder) == ["web/post-1.1", "web/post-1.2", "web/deliver"]


def test_from_a_step_and_no_cache(builder: Builder) -> None:
    """What is done again replaces what was stored, and the next build uses that."""
    steps = [pp.Function(_stamp, name=name) for name in ("one", "two", "three")]
    image = pp.Image("web", pp.Fake(layers="live"), provision=steps)
    builder(image)
    _ran(builder)
    builder(image, from_=["two"], force=True)
    assert _ran(builder) == ["web/step-2", "web/step-3", "web/capture", "web/deliver"]
    builder(image, no_cache=True, force=True)
    assert _ran(builder) == ["web/boot", "web/step-1", "web/step-2", "web/step-3", "web/capture", "web/deliver"]
    builder(image)
    assert _ran(builder) == []
    edited = pp.Image("web", pp.Fake(layers="live"), provision=[*steps[:2], pp.Function(_stamp, name="other")])
    builder(edited, force=True)
    assert _ran(builder) == ["web/step-3", "web/capture", "web/deliver"]


def _stamp(c: Any) -> None:
    c.run("date")


def test_an_image_that_is_only_cached(builder: Builder) -> None:
    """It is in no output folder; what stands on it finds it, and it is not made twice."""
    base = pp.Image("base", pp.Fake(content="x"), keep="cache")
    result = builder(pp.Image("web", pp.Fake(disk=base.output())))
    assert [path.name for path in (builder.folder / "output").iterdir()] == ["web"]
    assert str(builder.folder / "cache") in str(result.files("base")[0])
    _ran(builder)
    builder(pp.Image("other", pp.Fake(disk=base.output())))
    assert _ran(builder) == ["other/boot", "other/capture", "other/deliver"]
    shutil.rmtree(builder.folder / "cache" / "results")
    builder(pp.Image("web", pp.Fake(disk=base.output())))
    assert _ran(builder) == []
    builder(pp.Image("third", pp.Fake(disk=base.output())))
    assert _ran(builder)[:3] == ["base/boot", "base/capture", "base/deliver"]


def test_an_image_that_is_not_kept(builder: Builder) -> None:
    """It lives as long as the run; its file is gone afterwards."""
    base = pp.Image("base", pp.Fake(content="x"), keep="no")
    result = builder(pp.Image("web", pp.Fake(disk=base.output())))
    assert set(result.artifacts) == {"web"}
    assert [path.name for path in (builder.folder / "output").iterdir()] == ["web"]
    assert builder.leftovers == []


def test_what_stands_on_an_image_survives_its_move(builder: Builder) -> None:
    """The base's file in the output folder is moved away; its image in the store is still there for others."""
    base = pp.Image("base", pp.Fake(content="x"))
    builder(base)
    _ran(builder)
    shutil.rmtree(builder.folder / "output" / "base")
    builder(pp.Image("web", pp.Fake(disk=base.output())))
    assert _ran(builder) == ["base/deliver", "web/boot", "web/capture", "web/deliver"]


def test_a_full_disk_costs_only_the_stored_result(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build goes on and says so."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ResultStore, "write", full)
    builder(pp.Image("web", pp.Fake(content="x")))
    said = [event.text for event in builder.of(events.TaskMessage)]
    assert any("its result is not stored for other builds: the file system of" in text for text in said)
    assert builder.leftovers == []


def test_a_result_that_vanishes_between_plan_and_build(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is made anew."""
    image = pp.Image("web", pp.Fake(content="x"))
    builder(image)
    _ran(builder)
    from packerpy.execute.request import Request

    plan, calls = Request.plan, []

    def planning(self: Request, *given: Any) -> Any:
        made = plan(self, *given)
        if not calls:
            shutil.rmtree(builder.folder / "cache" / "results")
        calls.append(made)
        return made

    monkeypatch.setattr(Request, "plan", planning)
    builder(pp.Image("web", pp.Fake(content="x"), post=[Note(name="a")]), force=True)
    assert len(calls) == 2
    assert _ran(builder) == ["web/boot", "web/capture", "web/post-1", "web/deliver"]


def test_estimates_come_from_history(builder: Builder) -> None:
    """The second plan knows how long the first build took."""
    image = pp.Image("web", pp.Fake(boot_seconds=0.2))
    assert builder.plan(image).seconds is None
    builder(image)
    again = builder.plan(image, no_cache=True)
    assert again.seconds is not None
    assert again.seconds >= 0.2
    assert (again.task("web/boot").seconds or 0) >= 0.2


def test_why(builder: Builder) -> None:
    """Names the input that changed since the last build."""
    site = builder.folder / "site"
    site.mkdir()
    (site / "index.html").write_text("one")
    image = pp.Image("web", pp.Fake(), provision=[pp.File(site, to="/srv")])
    builder(image)
    (site / "index.html").write_text("two")
    os.utime(site / "index.html", (1, 1))
    options: Any = {"output": builder.folder / "output", "cache": builder.folder / "cache"}
    found = pp.why(image, task="web/step-1", **options)
    assert [change.name for change in found.changes] == [str(site)]
    assert str(site) in builder.plan(image).task("web/boot").reason
