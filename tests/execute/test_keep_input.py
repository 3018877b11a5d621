"""Which artifacts of a build stay: the same table as Packer's, for every place in every chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs
import pytest

import packerpy as pp
from packerpy.contracts import PostProcessor, PostProcessorSpec, Run
from packerpy.values import Artifact, Problem, Processed
from tests.execute.conftest import Builder


@attrs.frozen
class Mark(PostProcessorSpec, PostProcessor):
    """Writes a file of its own name, and is of a given opinion about its input."""

    kind: ClassVar[str] = "mark"

    name: str
    keeps_input: bool = False  # type: ignore[misc]  real ones say it for their class
    force: bool = False
    keep_input: bool | None = None

    @property
    def title(self) -> str:
        return self.name

    def check(self) -> Iterable[Problem]:
        return ()

    def load(self) -> PostProcessor:
        return self

    def process(self, run: Run, artifact: Artifact) -> Processed:
        path = run.staging / self.name
        path.write_text(self.name)
        made = Artifact(kind="files", id=self.name, files=(path,))
        return Processed(artifact=made, needs_input=self.keeps_input and self.force)


def _results(builder: Builder, *post: Any) -> list[str]:
    """The ids of what is delivered, in order; the files on disk are those and no others."""
    result = builder(pp.Image("web", pp.Fake(), post=post))
    names = [artifact.id for artifact in result.artifacts["web"]]
    assert {path.name for path in (builder.folder / "output" / "web").iterdir()} == set(names)
    return names


TABLE = [
    # by default, insists, what the user says -> whether it stays
    (True, True, None, True),
    (True, True, True, True),
    (True, True, False, True),  # its result refers to the input, so the user is overruled
    (True, False, None, True),
    (True, False, True, True),
    (True, False, False, False),
    (False, True, None, False),
    (False, True, True, True),
    (False, True, False, False),
    (False, False, None, False),
    (False, False, True, True),
    (False, False, False, False),
]


@pytest.mark.parametrize(("default", "force", "user", "stays"), TABLE)
def test_the_source_s_artifact(builder: Builder, default: bool, force: bool, user: bool | None, stays: bool) -> None:
    """The first of a chain decides about what the source made."""
    found = _results(builder, Mark("a", default, force, user))
    assert found == (["web.tar", "a"] if stays else ["a"])


@pytest.mark.parametrize(("default", "force", "user", "stays"), TABLE)
def test_an_intermediate_artifact(builder: Builder, default: bool, force: bool, user: bool | None, stays: bool) -> None:
    """A later one decides about what the one before it made, and not about what the source made."""
    found = _results(builder, [Mark("a"), Mark("b", default, force, user)])
    assert found == (["a", "b"] if stays else ["b"])


@pytest.mark.parametrize(
    ("first", "second", "stays"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_several_chains(builder: Builder, first: bool, second: bool, stays: bool) -> None:
    """What the source made stays if any chain wants it; results stand in the order of the chains."""
    found = _results(builder, [Mark("a", keep_input=first), Mark("b", keep_input=True)], Mark("c", keep_input=second))
    assert found == [*(["web.tar"] if stays else []), "a", "b", "c"]


def test_without_post_processors(builder: Builder) -> None:
    """The source's artifact is the result."""
    assert _results(builder) == ["web.tar"]


def test_what_another_image_stands_on_stays(builder: Builder) -> None:
    """Whatever the post-processors say of it."""
    base = pp.Image("base", pp.Fake(), post=[Mark("a", keep_input=False)])
    result = builder(pp.Image("web", pp.Fake(disk=base.output())))
    assert result.artifacts["web"]


@pytest.mark.parametrize(
    ("post", "default"),
    [(pp.Manifest(), True), (pp.Checksum(), True), (pp.Compress("gz"), False)],
    ids=["manifest", "checksum", "compress"],
)
def test_defaults_of_the_built_in_ones(builder: Builder, post: Any, default: bool) -> None:
    """Manifest and checksum keep their input even against the user's word; compress only when told to."""
    assert ("web.tar" in _results_of_files(builder, post)) is default
    builder.folder = builder.folder / "again"
    builder.folder.mkdir()
    assert ("web.tar" in _results_of_files(builder, attrs.evolve(post, keep_input=False))) is default


def _results_of_files(builder: Builder, *post: Any) -> set[str]:
    builder(pp.Image("web", pp.Fake(), post=post))
    return {path.name for path in (builder.folder / "output" / "web").iterdir()}
