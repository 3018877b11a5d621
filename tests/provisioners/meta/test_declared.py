"""Wrapped steps as values: what they say, which builds they belong to, what can be wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.errors import ProvisionError
from packerpy.provisioners.meta import Facts
from packerpy.provisioners.meta.select import steps_of
from tests.execute.conftest import builder

__all__ = ["builder"]

WEB = ("web.qemu", "web", "qemu")
A, B = pp.Shell("a"), pp.Shell("b")


def step_function(c: Any) -> None:
    """A plain function as a step."""


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (pp.Step(pp.Shell()), ""),
        (pp.Step("echo"), ""),  # type: ignore[arg-type]
        (pp.Step(A, only="x", except_="y"), ""),
        (pp.Step(A, pause_before=-1), "pause_before"),
        (pp.Step(A, timeout=0), "timeout"),
        (pp.Step(A, retries=-1), "retries"),
        (pp.Step(A, retries=1.5), "retries"),  # type: ignore[arg-type]
        (pp.Step(A, backoff=-1), "backoff"),
        (pp.Step(A, max_age=0), "max_age"),
        (pp.Step(A, when="debian"), "when"),  # type: ignore[arg-type]
        (pp.Step(A, override={"qemu": {"sodu": True}}), "override[qemu]"),
        (pp.Step(A, override={"qemu": {"timeout": -1}}), "override[qemu].timeout"),
        (pp.Step(A, override={"qemu": True}), "override[qemu]"),  # type: ignore[dict-item]
        (pp.Group([]), "steps"),
        (pp.Group([A, pp.Shell("a", timeout=0)]), "steps[1].timeout"),
    ],
)
def test_problems(spec: pp.Step, where: str) -> None:
    """Each bad value is told at its place; a wrapped step's own problems are, too."""
    assert where in [problem.where for problem in spec.check()]


def test_a_good_one_has_no_problem(tmp_path: Path) -> None:
    """Everything at once, around a function, a group and a wrapped step; it knows what is read in any build."""
    script, other = tmp_path / "a.sh", tmp_path / "b.sh"
    script.touch()
    other.touch()
    inner = pp.Step(pp.Shell(script=script), override={"qemu": {"scripts": [str(other)]}}, retries=2)
    spec = pp.Group([inner, step_function], only=["web*"], timeout=5, when={"id": ["debian", "ubuntu"]}, max_age=60)
    assert list(spec.check()) == [p for p in spec.check() if "override" in p.where] == []
    assert set(spec.reads()) == {script, other}
    assert hash(spec) == hash(pp.Group([inner, step_function], only="web*", timeout=5, when=spec.when, max_age=60))


def test_a_glob_that_fits_no_build_is_a_problem() -> None:
    """A slip of the pen in a selection is told; Packer ignores it."""
    image = pp.Image("web", pp.Fake(content="x"), provision=[pp.Step(A, only="wbe"), pp.Step(B, only="w*")])
    (problem,) = pp.validate(image)
    assert problem.where == "web.provision[0]"
    assert "'wbe'" in problem.what


def test_only_and_except() -> None:
    """Globs fit the build's name, its image's, its source's kind or name; the step is no task of other builds."""
    steps = [pp.Step(A, only="web.q*"), pp.Step(B, except_="qemu"), pp.Step(A, only=["x", "web"]), step_function]
    assert list(steps_of(steps, WEB)) == [A, A, pp.Function(step_function)]
    assert list(steps_of(steps, ("other",))) == [B, pp.Function(step_function)]


def test_override_by_build() -> None:
    """Fields are other ones where a glob fits, inside wrappers and groups, too; the last glob that fits counts."""
    spec = pp.Step(
        pp.Step(A, retries=1), override={"q*": {"sudo": True}, "web": {"env": {"X": "1"}}, "z": {"pty": True}}
    )
    assert list(steps_of([spec], WEB)) == [pp.Step(pp.Shell("a", sudo=True, env={"X": "1"}), retries=1)]
    grouped = pp.Group([A, pp.Group([B])], override={"web": {"sudo": True}})
    assert list(steps_of([grouped], WEB)) == [pp.Shell("a", sudo=True), pp.Shell("b", sudo=True)]


def test_a_group_is_each_of_its_steps() -> None:
    """What is said of a group is said of its members; wrappers around wrappers stay, in their order."""
    spec = pp.Group([A, pp.Step(B, retries=1)], only="web", timeout=5)
    assert list(steps_of([spec], WEB)) == [pp.Step(A, timeout=5), pp.Step(pp.Step(B, retries=1), timeout=5)]
    assert list(steps_of([spec], ("other",))) == []


def test_what_is_said_of_the_cache_is_seen_from_outside() -> None:
    """The outermost wrapper tells the strictest word of all of them."""
    spec = pp.Group([pp.Step(A, cache=False, max_age=60), pp.Step(B, max_age=5)], max_age=30)
    first, second = steps_of([spec])
    assert isinstance(first, pp.Step)
    assert (first.cache, first.max_age) == (False, 30)
    assert isinstance(second, pp.Step)
    assert (second.cache, second.max_age) == (True, 5)


def test_a_selection_makes_different_tasks() -> None:
    """Each build's plan has its own steps; a test that no build has makes no task."""
    image = pp.Image(
        "web",
        sources=[pp.Fake(content="x", name="one"), pp.Fake(content="x", name="two")],
        provision=[A, pp.Step(B, only="one")],
        tests=[pp.Step(pp.Check("true"), only="two")],
        test_on=pp.Qemu(),
    )
    tasks = [task.id for task in pp.plan(image).tasks]
    assert "web.one/step-2" in tasks
    assert "web.two/step-2" not in tasks
    assert "web.two/test" in tasks
    assert "web.one/test" not in tasks


def test_how_it_is_run_is_not_in_its_key(builder: Any) -> None:
    """Retries and limits of time do not make another step of it; what may change the result does."""

    def key(step: Any) -> str | None:
        return str(builder.plan(pp.Image("a", pp.Fake(content="x"), provision=[step])).task("a/step-1").key)

    plain = key(A)
    assert key(pp.Step(A, retries=3, timeout=5, pause_before=1, backoff=9, only="a")) == plain
    assert key(pp.Group([A], retries=3)) == plain
    others = {key(pp.Step(A, when={"id": "debian"})), key(pp.Step(A, continue_on_error=True))}
    assert len(others | {plain}) == 3
    assert key(pp.Step(A, override={"a": {"sudo": True}})) == key(pp.Shell("a", sudo=True))


def test_facts() -> None:
    """Globs on the guest's own words, on what the source knows; versions as numbers; unknown facts are an error."""
    facts = Facts(
        system="linux",
        arch="x86_64",
        kernel="6.1.0",
        id="ubuntu",
        family=("ubuntu", "debian"),
        version_id="22.04",
        release={"variant_id": "server"},
        machine={"firmware": "uefi"},
    )
    assert facts.version == (22, 4)
    assert facts.fit({"family": ("debian",), "version_id": ("20.*", "22.*"), "firmware": ("uefi",)})
    assert facts.fit({"variant_id": ("server",)})
    assert not facts.fit({"id": ("debian",)})
    with pytest.raises(ProvisionError, match="no fact 'colour'"):
        facts.fit({"colour": ("red",)})
