"""Values of the build itself: filled in for each build, at the latest when a step runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.declare import BuildValue
from packerpy.errors import ProvisionError
from packerpy.execute.ready import ready
from packerpy.kit.text import text_of
from packerpy.plan import TaskKind
from packerpy.testing import make_run
from packerpy.values import Endpoint, Machine
from tests.execute.conftest import Builder

this = pp.this_build


def _two(*steps: Any, **options: Any) -> list[pp.Image]:
    """Two images that differ in their names only, on machines that can be shared."""
    return [pp.Image(name, pp.Fake(layers="live"), provision=steps, **options) for name in ("one", "two")]


def _runs(builder: Builder) -> list[str]:
    return [event.task for event in builder.of(events.TaskStarted) if "/step-" in event.task]


def test_a_step_that_names_its_build_is_not_shared(builder: Builder) -> None:
    """The steps before it still are; each image gets its own name, not that of the build that came first."""
    builder(*_two(pp.Shell("common"), pp.File(content=pp.text("I am ", this.name), to=pp.text("/name-", this.image))))
    assert sorted(_runs(builder)) == ["one/step-1", "one/step-2", "two/step-2"]
    import tarfile

    for name in ("one", "two"):
        with tarfile.open(builder.folder / "output" / name / f"{name}.tar") as tar:
            file = tar.extractfile(f"name-{name}")
            assert file is not None
            assert file.read().decode() == f"I am {name}"


def test_steps_are_told_nothing_unasked(builder: Builder) -> None:
    """What differs between builds and is not in the key is not in the environment of a shell step either."""
    plan = builder.plan(*_two(pp.Shell("env")))
    assert plan.task("two/step-1").action == "reuse"
    assert plan.task("two/step-1").key == plan.task("one/step-1").key


def test_values_of_the_source_are_told_apart(builder: Builder) -> None:
    """One image on two sources: names and kinds are each build's own, in sources and post-processors too."""
    sources = [pp.Fake(name="a", content=this.name), pp.Fake(name="b", content=this.source)]  # type: ignore[arg-type]
    image = pp.Image("web", sources=sources, post=[pp.Manifest(custom_data={"n": this.name, "r": this.run})])
    plan = builder.plan(image)
    assert [build.source.content for build in plan.builds.values()] == ["web.a", "fake"]  # type: ignore[attr-defined]
    result = builder(image)
    text = (builder.folder / "output" / "web.a" / "manifest.json").read_text()
    assert '"n": "web.a"' in text
    assert f'"r": "{result.run}"' in text


def test_values_of_the_machine(tmp_path: Path) -> None:
    """Address, login, key and what the source knows; the key is a secret."""
    run = make_run(tmp_path)
    key = tmp_path / "key"
    key.write_text("PRIVATE\n")
    endpoint = Endpoint(host="192.0.2.1", port=2222, user="debian", key_file=key)
    machine = Machine(
        id="i-1", endpoint=endpoint, communicator=pp.SSH(), facts={"region": "eu", "http_url": "http://h:1"}
    )
    values = (this.id, this.host, this.port, this.user, this.connection, this.http_url, this.fact("region"), this.run)
    step = ready(run, pp.Shell(pp.text(*values), env={"KEY": this.ssh_key, "FILE": this.ssh_key_file}), machine)
    assert step.inline == (f"i-1192.0.2.12222debiansshhttp://h:1eu{run.id}",)
    assert step.env == {"KEY": pp.Secret(file=key), "FILE": str(key)}
    with pytest.raises(ProvisionError, match="no http_port") as failed:
        ready(run, pp.Shell(this.http_port), machine)
    assert "http_url" in str(failed.value)
    with pytest.raises(pp.ValidationError, match="not an absolute path"):
        ready(run, pp.Shell("x", remote_folder=this.user), machine)  # type: ignore[arg-type]
    run.close(failed=True)


@pytest.mark.parametrize("given", ["hush-hush-1", pp.Secret(value="hush-hush-1")])
@pytest.mark.parametrize("communicator", [pp.SSH, pp.WinRM])
def test_the_password_of_the_machine(given: Any, communicator: Any, tmp_path: Path) -> None:
    """However it was declared it is a secret: not in the step, and masked from the moment that a step uses it."""
    run = make_run(tmp_path)
    machine = Machine(id="i", endpoint=Endpoint(), communicator=communicator(user="a", password=given))
    step = ready(run, pp.Shell("login", env={"PASSWORD": this.password}), machine)
    assert "hush" not in repr(step)
    assert text_of(run, step.env["PASSWORD"]) == "hush-hush-1"
    run.say("it is hush-hush-1")
    assert "hush" not in repr(run.events)
    assert "<secret>" in repr(run.events)
    with pytest.raises(ProvisionError, match="has no password"):
        ready(run, pp.Shell(this.password), attrs.evolve(machine, communicator=pp.SSH()))
    run.close(failed=True)


def test_values_of_the_machine_reach_steps_and_tests(builder: Builder) -> None:
    """Also of a machine that is started from a layer."""
    builder(*_two(pp.File(content=this.id, to="/id"), pp.File(content=this.user, to="/user")))
    plan = builder.plan(*_two(pp.File(content=this.id, to="/id")))
    spec: Any = plan.builds["one"].of(TaskKind.STEP)[0].spec
    assert spec.content == BuildValue("id")


@pytest.mark.parametrize(
    ("image", "fragment"),
    [
        (pp.Image("web", pp.Fake(content=this.host)), "only while there is a machine"),  # type: ignore[arg-type]
        (pp.Image("web", pp.Fake(content=this.run)), "only while there is a machine"),  # type: ignore[arg-type]
        (pp.Image("web", pp.Fake(), post=[pp.Manifest(custom_data={"h": this.host})]), "only while there is a machine"),
        (pp.Image("web", pp.Fake(), provision=[pp.Shell(pp.FileData(this.name)["text"])]), "read before any build"),
    ],
)
def test_values_where_there_are_none(image: pp.Image, fragment: str) -> None:
    """Said before anything is built."""
    assert fragment in "\n".join(map(str, pp.validate(image)))


def test_titles(builder: Builder) -> None:
    """What is not known yet stands in titles by its name."""
    plan = builder.plan(
        pp.Image("web", pp.Fake(), provision=[pp.Shell(pp.text("ping ", this.host)), pp.Shell(this.name)])
    )
    assert [task.title for task in plan.builds["web"].of(TaskKind.STEP)] == ["run ping {this_build.host}", "run web"]
