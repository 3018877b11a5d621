"""Values of data sources: read once before planning, put into declarations, in keys, reasons and plans."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.declare import Data, Later
from packerpy.errors import BuildFailures, DataError, PlanError, ValidationError
from packerpy.execute.cancellation import CancelToken
from packerpy.plan import TaskKind
from packerpy.testing.specs import Steps
from packerpy.values import Problem
from tests.execute.conftest import Builder

READ: list[str] = []
"""What was read in the current test, in order."""


@attrs.frozen
class Told(Data):
    """Reads what it was told to."""

    kind: ClassVar[str] = "told"

    value: Any
    secret: bool = False
    fail: bool = False
    name: str = ""

    @property
    def title(self) -> str:
        return "read what it was told"

    def check(self) -> Iterable[Problem]:
        if self.value == "bad":
            yield Problem(where="value", what="is bad")

    def load(self) -> Any:
        return self

    def read(self, run: Any) -> object:
        READ.append(str(self.value) if isinstance(self.value, str) else "something")
        if self.fail:
            raise DataError(f"no {self.value} today")
        return (
            {"v": self.value, "n": 7, "deep": {"list": [1, {"x": True}]}}
            if isinstance(self.value, str)
            else {"v": dict(self.value)}
        )


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    READ.clear()


def _web(*lines: Any, **options: Any) -> pp.Image:
    return pp.Image("web", pp.Fake(**options), provision=[pp.Shell(line) for line in lines])


def test_values_reach_the_machine(builder: Builder, tmp_path: Path) -> None:
    """Parts of what was read, whole or composed, numbers and truth too, stand where they were declared."""
    told = Told("hello")
    web = _web(pp.text("echo ", told["v"]), pp.text("echo ", told["n"], "/", told["deep"]["list"][1]["x"]))
    builder(web)
    steps = builder.plan(web).builds["web"].of(TaskKind.STEP)
    assert [step.spec.inline for step in steps] == [("echo hello",), ("echo 7/true",)]
    READ.pop()
    assert READ == ["hello"]


def test_validate_is_offline() -> None:
    """Validation reads nothing, and does not hold an unknown value against a declaration; the source is checked."""
    told = Told("1 GiB")
    assert pp.validate(pp.Image("web", pp.Qemu(disk="/nowhere.qcow2", memory=told["v"]))) == pp.validate(  # type: ignore[arg-type]
        pp.Image("web", pp.Qemu(disk="/nowhere.qcow2"))
    )
    assert READ == []
    assert list(map(str, pp.validate(_web(Told("bad")["v"])))) == ["web/step-1.told.value: is bad"]


def test_a_wrong_value_is_found_when_it_is_read(builder: Builder) -> None:
    """What the declaration's own check would have said is said as soon as the value is known."""
    web = pp.Image(
        "web",
        pp.Fake(memory=0),
        provision=[pp.Shell("a", remote_folder=Told("tmp")["v"])],
    )  # type: ignore[arg-type]
    assert pp.validate(web) == ()
    with pytest.raises(ValidationError, match="not an absolute path"):
        builder.plan(web)


def test_sources_that_stand_on_sources(builder: Builder) -> None:
    """Each is read once, those it stands on first, whoever asks and however often; variables and secrets are filled."""
    first = Told(pp.Variable("which"))
    second = Told(first["v"], secret=True)
    web = pp.Image(
        "web", pp.Fake(), provision=[pp.Shell("echo", second["v"]), pp.Shell("echo", first["v"], second["n"])]
    )
    plan = builder.plan(web, variables={"which": "deep"})
    assert READ == ["deep", "deep"]
    assert [task.id for task in plan.reads] == ["read/told", "read/told-2"]
    assert plan.reads[1].needs == ("read/told",)
    assert plan.task("web/step-1").needs == ("web/boot", "read/told-2")
    assert set(plan.task("web/step-2").needs) == {"web/step-1", "read/told", "read/told-2"}
    assert "read    read/told" in str(plan)


def test_the_value_is_in_the_key_and_the_reason(builder: Builder) -> None:
    """An equal value re-uses, though it was read anew; a changed one rebuilds and is named; unused parts do not count."""
    path = builder.folder / "data.json"
    web = _web(pp.text("echo ", pp.FileData(path)["data"]["v"]))
    path.write_text('{"v": 1, "other": 1}')
    builder(web)
    path.write_text('{"v": 1, "other": 2}')
    assert builder(web).reused == ("web",)
    path.write_text('{"v": 2}')
    plan = builder.plan(web)
    assert plan.task("web/boot").reason.startswith("changed: data file.data.v")


def test_secret_values(builder: Builder) -> None:
    """A secret source's texts and numbers are masked everywhere, and are in keys only as a keyed hash."""
    token = Told("tok-en-12345", secret=True)

    def show(run: Any, channel: Any) -> None:
        run.say("the token is tok-en-12345")

    line = pp.text("echo ", token["v"], " ", token["n"])
    web = pp.Image("web", pp.Fake(), provision=[pp.Shell(line), Steps(show)])
    plan = builder.plan(web)
    assert "tok-en-12345" not in repr(plan.task("web/step-1").spec)
    builder(web)
    shown = repr(builder.events)
    assert "tok-en-12345" not in shown
    assert "<secret>" in shown
    other = pp.Image("web", pp.Fake(), provision=[pp.Shell(pp.text("echo ", Told("tok-en-99999", secret=True)["v"]))])
    assert builder.plan(other).task("web/deliver").key != plan.task("web/deliver").key
    for path in (builder.folder / "cache").rglob("*.db*"):
        assert b"tok-en-12345" not in path.read_bytes()


def test_a_part_that_is_not_there(builder: Builder) -> None:
    """All wrong parts are told at once, with the one that was meant."""
    told = Told("x")
    with pytest.raises(ValidationError) as failed:
        builder.plan(_web(told["vv"], told["deep"]["list"][5], told["v"]["x"]))
    text = str(failed.value)
    assert "did you mean `v`?" in text
    assert "a list of 2" in text
    assert "without parts" in text


def test_failures_are_told_together(builder: Builder) -> None:
    """Every source that cannot be read is told; what stands on one is not tried; nothing was made."""
    broken = Told("milk", fail=True)
    web = _web(broken["v"], Told("bread", fail=True)["v"], Told(broken["v"])["v"], Told("fine")["v"])
    with pytest.raises(BuildFailures) as failed:
        builder(web)
    assert [str(error) for error in failed.value.exceptions] == ["no milk today", "no bread today"]
    assert sorted(READ) == ["bread", "fine", "milk"]
    assert builder.leftovers == []
    with pytest.raises(DataError, match="no milk today") as single:
        builder(_web(broken["v"]))
    assert single.value.task == "read/told"


def test_bugs_of_a_source_are_named(builder: Builder) -> None:
    """An unknown exception, and a value that is none, are reported as bugs of the data source."""
    with pytest.raises(pp.PackerpyError, match="bug of the data source 'told'"):
        builder.plan(_web(Told(7)["v"]))
    with pytest.raises(pp.PackerpyError, match="answered a frozenset"):
        builder.plan(_web(Told((("a", frozenset({1})),))["v"]))


def test_what_is_read_before_it_is_known(builder: Builder) -> None:
    """A reference in an f-string says so at once; it cannot be walked through either."""
    with pytest.raises(pp.PackerpyError, match=r"packerpy.text\("):
        f"{Told('x')['v']}"
    with pytest.raises(TypeError):
        list(Told("x"))  # type: ignore[call-overload]
    assert isinstance(Told("x"), Later)


def test_builds_tell_what_they_read(builder: Builder) -> None:
    """Reading is told as tasks of its own, and a failed one with its error."""
    builder(_web(Told("x")["v"]))
    assert builder.of(events.TaskStarted)[0].task == "read/told"
    with pytest.raises(DataError):
        builder(_web(Told("x", fail=True)["v"]))
    assert builder.of(events.TaskFinished)[-1].error == "no x today"


def test_paths_that_are_known_later(builder: Builder, tmp_path: Path) -> None:
    """Paths of the host may be variables, computed, composed and read; the files decide keys as those named outright."""
    for name in ("one.sh", "two.sh"):
        (tmp_path / name).write_text(f"echo {name}\n")
    where = pp.Variable("where")
    web = pp.Image(
        "web",
        pp.Fake(),
        provision=[
            pp.Shell(script=pp.text(where, "/one.sh")),
            pp.Shell(scripts=[pp.computed(lambda folder: f"{folder}/two.sh", where)]),
            pp.File(pp.text(where, "/", Told("two.sh")["v"]), to="/etc/two"),
        ],
    )
    assert not pp.validate(web, variables={"where": str(tmp_path)})
    assert list(map(str, pp.validate(web, variables={"where": "/nowhere"}))) == [
        "web.provision[0].scripts[0]: there is no such file (seen: /nowhere/one.sh)",
        "web.provision[1].scripts[0]: there is no such file (seen: /nowhere/two.sh)",
    ]
    builder(web, variables={"where": str(tmp_path)})
    (tmp_path / "two.sh").write_text("echo changed\n")
    plan = builder.plan(web, variables={"where": str(tmp_path)})
    assert f"{tmp_path}/two.sh" in plan.task("web/boot").reason


def test_a_path_that_is_known_too_late() -> None:
    """What is known only with a machine cannot name a file that decides keys; it is told before anything is done."""
    web = pp.Image(
        "web", pp.Fake(), provision=[pp.Shell(script=pp.text(pp.this_build.host, ".sh")), pp.Shell(pp.this_build.host)]
    )
    problems = [problem for problem in pp.validate(web) if "read when a build is planned" in problem.what]
    assert [(problem.where, problem.seen) for problem in problems] == [("web.provision[0]", "{this_build.host}")]


@attrs.frozen
class Meeting(Data):
    """Reads only while another one reads."""

    kind: ClassVar[str] = "meeting"

    who: str
    room: Any = attrs.field(eq=False)

    @property
    def title(self) -> str:
        return f"{self.who} waits for the others"

    def check(self) -> Iterable[Problem]:
        return ()

    def load(self) -> Any:
        return self

    def read(self, run: Any) -> object:
        self.room.wait(20)
        return self.who


def test_sources_are_read_at_the_same_time(builder: Builder) -> None:
    """Those that do not stand on each other wait for nobody; names and order are those of the declarations."""
    room = threading.Barrier(3)
    plan = builder.plan(_web(*(pp.text("echo ", Meeting(who, room)) for who in ("a", "b", "c"))))
    assert [step.spec.inline for step in plan.builds["web"].of(TaskKind.STEP)] == [
        ("echo a",),
        ("echo b",),
        ("echo c",),
    ]
    assert [task.id for task in plan.reads] == ["read/meeting", "read/meeting-2", "read/meeting-3"]


def test_only_what_is_wanted_is_read(builder: Builder) -> None:
    """What a selection leaves out is not read, nor are its secrets and files; what the wanted stand on is."""
    base = pp.Image("base", pp.Fake(), provision=[pp.Shell("echo", Told("base")["v"])])
    wanted = pp.Image("wanted", pp.Fake(disk=base.output()), provision=[pp.Shell("echo", Told("wanted")["v"])])
    other = pp.Image(
        "other",
        pp.Fake(),
        provision=[
            pp.Shell("echo", Told("other", fail=True)["v"]),
            pp.Shell(script=Told("elsewhere")["v"]),
            pp.Shell("echo", env={"TOKEN": pp.Secret(env="PACKERPY_TEST_NOWHERE")}),
        ],
    )
    plan = builder.plan([wanted, other], only=["wanted"])
    assert sorted(READ) == ["base", "wanted"]
    assert set(plan.builds) == {"base", "wanted"}
    with pytest.raises(PlanError, match="no build is called"):
        builder.plan([wanted, other], only=["nobody"])
    assert sorted(READ) == ["base", "wanted"]


def test_a_cancel_while_data_are_read(builder: Builder) -> None:
    """All that is being read stops at once, and nothing is made."""
    cancel = CancelToken()

    def when_both_run(event: events.Event) -> None:
        if isinstance(event, events.TaskStarted) and event.task == "read/second":
            cancel.request()

    slow = [pp.CommandData("sleep", "600", name=name) for name in ("first", "second")]
    with pytest.raises(pp.CancelledError):
        builder(_web(slow[0]["text"], slow[1]["text"]), cancel=cancel, listeners=[when_both_run])
    assert {event.status for event in builder.of(events.TaskFinished)} == {"failed"}
    assert builder.leftovers == []


def test_what_was_read_is_written_down(builder: Builder) -> None:
    """Manifest and provenance tell which source gave what to this build; long texts by digest, secrets not at all."""
    first, second = Told("hello", name="first"), Told("hush-hush-9", secret=True, name="second")
    long = Told("x" * 2000, name="long")
    web = pp.Image(
        "web",
        pp.Fake(),
        provision=[
            pp.Shell("echo", first["v"], pp.computed(len, first["deep"]), long["v"]),
            pp.Shell("echo", second["v"]),
        ],
        post=[pp.Manifest()],
    )
    other = pp.Image("other", pp.Fake(), provision=[pp.Shell("echo", Told("other")["v"])])
    builder([web, other])
    text = (builder.folder / "output" / "web" / "manifest.json").read_text()
    data = {one["id"]: one["values"] for one in json.loads(text)["builds"][0]["packerpy"]["data"]}
    assert list(data) == ["read/first", "read/long", "read/second"]
    assert data["read/first"] == {"told.v": "hello", "told.deep": '{"list": [1, {"x": true}]}'}
    assert data["read/long"] == {"told.v": f"sha256:{hashlib.sha256(b'x' * 2000).hexdigest()}"}
    assert re.fullmatch("hmac-sha256:[0-9a-f]{64}", data["read/second"]["told.v"])
    assert "hush-hush-9" not in text
