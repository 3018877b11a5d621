"""What becomes of a failed build: cleaned up, left alone, asked about, tried again, looked into; and stepping."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.artifacts.database import Database
from packerpy.artifacts.journal import Journal
from packerpy.contracts import Provisioner, ProvisionerSpec
from packerpy.errors import PluginError, ProvisionError, SourceError
from packerpy.execute.calls import build as build_images
from packerpy.execute.cancellation import CancelToken
from packerpy.testing.specs import Broken, Steps
from packerpy.values import Command, Problem
from tests.execute.conftest import Builder

BOOM = ProvisionError("boom")


def _log(builder: Builder) -> list[str]:
    """Steps and clean-ups that were begun."""
    return [event.task.partition("/")[2] for event in builder.of(events.TaskStarted)]


def _image(*steps: Any, **options: Any) -> pp.Image:
    source = options.pop("source", pp.Fake())
    return pp.Image("web", source, provision=steps, **options)


@pytest.mark.parametrize("layers", ["off", "live"])
@pytest.mark.parametrize(
    ("on_error", "cleans", "leaves"),
    [
        ("cleanup", True, False),
        ("abort", False, True),
        ("run-cleanup-provisioner", True, True),
    ],
)
def test_table_of_on_error(builder: Builder, on_error: Any, cleans: bool, leaves: bool, layers: Any) -> None:
    """Whether the clean-up steps run, and whether things stay, as Packer has it for each value."""
    seen: list[str] = []
    note = Steps(lambda run, channel: seen.append(channel.run(Command(line="echo here")).stdout))
    image = _image(pp.Shell("fine"), Broken(BOOM), error_cleanup=[note], source=pp.Fake(layers=layers))
    with pytest.raises(ProvisionError, match="boom"):
        builder(image, on_error=on_error)
    assert seen == (["here\n"] if cleans else [])
    assert bool(builder.leftovers) is leaves


def test_what_was_left_is_found_by_clean_and_by_nothing_else(builder: Builder) -> None:
    """The next build leaves it alone, for its user wanted to look; `clean` removes it, also from the same process."""
    image = _image(Broken(BOOM))
    with pytest.raises(ProvisionError) as failed:
        builder(image, on_error="abort")
    assert any("runs on, until `packerpy clean`" in note for note in failed.value.__notes__)
    left = set(builder.leftovers)
    builder(pp.Image("other", pp.Fake()))
    assert set(builder.leftovers) == left
    assert pp.clean(dry_run=True, cache=builder.folder / "cache") != ()
    assert all(not one.error for one in pp.clean(cache=builder.folder / "cache"))
    assert builder.leftovers == []
    assert pp.clean(cache=builder.folder / "cache") == ()


def test_error_cleanup_knows_the_machine(builder: Builder) -> None:
    """It has values of the build, selects by build, and a capture that fails is a failure, too."""
    said: list[str] = []

    def note(run: Any, channel: Any) -> None:
        said.append(run.name)

    steps = [Steps(note), pp.Step(Steps(note), except_="web"), pp.File(content=pp.this_build.id, to="/id")]
    with pytest.raises(SourceError):
        builder(_image(source=pp.Fake(fail="capture"), error_cleanup=steps))
    assert said == ["web"]
    assert "error-cleanup" in _log(builder)


@pytest.mark.parametrize("phase", ["boot", "connect"])
def test_no_error_cleanup_without_a_machine(builder: Builder, phase: Any) -> None:
    """A machine that was never reached has nothing to clean."""
    with pytest.raises(pp.BuildError):
        builder(_image(source=pp.Fake(fail=phase), error_cleanup=[Broken(BOOM)]))
    assert "error-cleanup" not in _log(builder)


def test_no_error_cleanup_on_a_cancel_or_a_success(builder: Builder) -> None:
    """It is for errors."""
    token = CancelToken()
    with pytest.raises(pp.CancelledError):
        builder(
            _image(Steps(lambda run, channel: token.request()), pp.Shell("x"), error_cleanup=[Broken(BOOM)]),
            cancel=token,
        )
    builder(_image(error_cleanup=[Broken(BOOM)]))
    assert "error-cleanup" not in _log(builder)


def test_error_cleanup_that_fails(builder: Builder) -> None:
    """Both errors are told, the first one first; bugs in it do not hide the error either."""
    with pytest.raises(ProvisionError, match="boom") as failed:
        builder(_image(Broken(BOOM), error_cleanup=[Broken(SourceError("no luck"))]))
    assert "error_cleanup failed, too: no luck" in "\n".join(failed.value.__notes__)
    with pytest.raises(PluginError) as bug:
        builder(_image(Broken(ValueError("x")), error_cleanup=[Broken(KeyError("y"))]))
    assert "failed, too" in "\n".join(bug.value.__notes__)
    assert builder.leftovers == []


def test_error_cleanup_is_no_part_of_the_result(builder: Builder) -> None:
    """Changing it builds nothing anew; what is wrong with it is found by validation."""
    builder(_image(pp.Shell("x")))
    assert builder(_image(pp.Shell("x"), error_cleanup=[pp.Shell("y")])).reused == ("web",)
    assert "error_cleanup[0]: there is nothing to run" in "\n".join(
        map(str, pp.validate(_image(error_cleanup=[pp.Shell()])))
    )


class _Answers:
    """Answers in turn, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[Any]()

    def __call__(self, failure: Any) -> Any:
        self.asked.append(failure)
        answer = self.answers.pop(0)
        return answer(failure) if callable(answer) else answer


def _try(run: Any, channel: Any, tries: list[int], fails: int) -> None:
    """Leaves a file behind each time, and fails some times first."""
    tries.append(1)
    path = run.workdir / "try"
    path.write_text(str(len(tries)))
    channel.put(path, Path(f"/try-{len(tries)}"))
    if len(tries) <= fails:
        raise ProvisionError(f"try {len(tries)}")


def _flaky(fails: int) -> Any:
    """As a step."""
    tries: list[int] = []
    return Steps(lambda run, channel: _try(run, channel, tries, fails))


@attrs.frozen
class KeyedFlaky(ProvisionerSpec, Provisioner):
    """The same as a declaration that has a key, so that what comes before it is saved and it can be, too."""

    kind: ClassVar[str] = "keyed-flaky"
    tries: ClassVar[list[int]] = []

    fails: int

    @property
    def title(self) -> str:
        return "flaky"

    def check(self) -> Iterable[Problem]:
        return ()

    def load(self) -> Provisioner:
        return self

    def apply(self, run: Any, machine: Any, channel: Any) -> None:
        _try(run, channel, self.tries, self.fails)


def test_retry_from_the_checkpoint(builder: Builder) -> None:
    """Where machines are saved, another try begins on the machine as it was before the step, not on the broken one."""
    import tarfile

    image = _image(pp.Shell("before"), KeyedFlaky(2), source=pp.Fake(layers="live"))
    KeyedFlaky.tries.clear()
    ask = _Answers("retry", "retry")
    builder(image, on_error="ask", ask=ask)
    assert [failure.can_retry for failure in ask.asked] == [True, True]
    assert len(KeyedFlaky.tries) == 3
    with tarfile.open(builder.folder / "output" / "web" / "web.tar") as tar:
        names = [name for name in tar.getnames() if name.startswith("try-")]
    assert names == ["try-3"]
    assert _log(builder).count("step-1") == 1


def test_retry_on_the_same_machine(builder: Builder) -> None:
    """Where they are not, it goes on with what the failed try left."""
    import tarfile

    builder(_image(_flaky(1)), on_error="ask", ask=_Answers("retry"))
    with tarfile.open(builder.folder / "output" / "web" / "web.tar") as tar:
        assert {"try-1", "try-2"} <= set(tar.getnames())


def test_only_the_failed_step_is_tried_again(builder: Builder) -> None:
    """Not all steps from the first, as Packer does."""
    builder(_image(pp.Shell("one"), _flaky(1), pp.Shell("three")), on_error="ask", ask=_Answers("retry"))
    assert [task for task in _log(builder) if task.startswith("step")] == ["step-1", "step-2", "step-2", "step-3"]


@pytest.mark.parametrize("layers", ["off", "live"])
def test_working_in_the_failed_machine(builder: Builder, layers: Any) -> None:
    """Who is asked can open a channel to the machine as the failure left it, and then try again or give up."""

    def look(failure: Any) -> str:
        channel = failure.reach()
        try:
            assert channel.run(Command(line="cat /try-1")).stdout == "1"
        finally:
            channel.close()
        assert failure.machine.communicator.kind == "fake"
        return "clean"

    KeyedFlaky.tries.clear()
    with pytest.raises(ProvisionError, match="try 1"):
        builder(_image(KeyedFlaky(1), source=pp.Fake(layers=layers)), on_error="ask", ask=_Answers(look))
    assert builder.leftovers == []


def test_asked_and_aborted(builder: Builder) -> None:
    """Like on_error='abort', but by the user's choice; clean-up steps do not run then, and do when he says clean."""
    ask = _Answers("abort", "clean")
    image = _image(Broken(BOOM), error_cleanup=[pp.Shell("x")])
    with pytest.raises(ProvisionError):
        builder(image, on_error="ask", ask=ask)
    assert builder.leftovers != []
    assert "error-cleanup" not in _log(builder)
    pp.clean(cache=builder.folder / "cache")
    with pytest.raises(ProvisionError):
        builder(image, on_error="ask", ask=ask)
    assert "error-cleanup" in _log(builder)
    assert builder.leftovers == []


def test_stepping(builder: Builder) -> None:
    """Each task is asked for before it begins, one at a time; the machine can be reached; `no` cancels and undoes."""
    stops: list[tuple[str, bool]] = []

    def debug(stop: Any) -> bool:
        stops.append((stop.task, stop.reach is not None))
        return bool(stop.task != "web/capture")

    with pytest.raises(pp.CancelledError, match="everything that was made has been undone"):
        builder(_image(pp.Shell("x")), debug=debug)
    assert stops == [("web/boot", False), ("web/step-1", True), ("web/capture", True)]
    assert builder.leftovers == []


def test_machines_may_outlive_us_only_when_wanted(tmp_path: Path) -> None:
    """A platform is told by the run whether a failed build's machine is to stay."""
    told: dict[str, bool] = {}
    for on_error in ("cleanup", "abort", "run-cleanup-provisioner", "ask"):
        step = Steps(lambda run, channel, name=on_error: told.update({name: run.lasting}))
        build_images(_image(step), on_error=on_error, output=tmp_path / on_error, cache=tmp_path / "cache")  # type: ignore[arg-type]
    assert told == {"cleanup": False, "abort": True, "run-cleanup-provisioner": True, "ask": True}


def test_a_run_that_could_not_undo_can_be_cleaned_later(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed to go away is written down as left, and the next clean tries again."""
    from packerpy.kit.folder import Folder

    undo = Folder.undo

    def stuck(self: Any, run: Any, made: Any) -> None:
        if self.title.startswith("machine"):
            raise OSError("stuck")
        undo(self, run, made)

    monkeypatch.setattr(Folder, "undo", stuck)
    with pytest.raises(ProvisionError) as failed:
        builder(_image(Broken(BOOM)))
    assert "left behind" in "\n".join(failed.value.__notes__)
    monkeypatch.setattr(Folder, "undo", undo)
    database = Database(builder.folder / "cache" / "state.db")
    assert len(Journal(database).runs_that_left()) == 1
    database.close()
    pp.clean(cache=builder.folder / "cache")
    database = Database(builder.folder / "cache" / "state.db")
    assert Journal(database).runs_that_left() == ()
    database.close()
