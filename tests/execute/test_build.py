"""Whole builds on the fake platform: what is delivered, what a failure leaves, what a cancel undoes."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy import events
from packerpy.errors import OutputError, PluginError, PrerequisiteError, ProvisionError, SourceError
from packerpy.execute.cancellation import CancelToken
from packerpy.provisioners.python import Function
from packerpy.testing.specs import Broken, Steps
from tests.execute.conftest import Builder


def test_delivers(builder: Builder) -> None:
    """A build's files stand in the output folder and nothing else does."""
    result = builder(pp.Image("web", pp.Fake(content="x")))
    (file,) = result.files("web")
    assert file == builder.folder / "output" / "web" / "web.tar"
    assert list((builder.folder / "output").iterdir()) == [file.parent]
    assert builder.leftovers == []


def test_folders_may_be_given_as_text(tmp_path: Path) -> None:
    """The cache folder as well as the output folder, in all calls that take them."""
    folders = {"output": str(tmp_path / "output"), "cache": str(tmp_path / "cache")}
    image = pp.Image("web", pp.Fake())
    assert pp.build(image, **folders).files("web")  # type: ignore[arg-type]
    assert pp.plan(image, **folders).tasks  # type: ignore[arg-type]
    assert pp.clean(cache=folders["cache"]) == ()


def test_second_build_reuses(builder: Builder) -> None:
    """Nothing runs again; the same artifacts are answered."""
    image = pp.Image("web", pp.Fake())
    first = builder(image)
    builder.events.clear()
    second = builder(image)
    assert second.reused == ("web",)
    assert second.artifacts == first.artifacts
    assert {event.status for event in builder.of(events.TaskFinished)} == {"reused"}


def test_a_damaged_artifact_is_not_reused(builder: Builder) -> None:
    """A file that was changed after it was built is noticed; replacing it needs force."""
    image = pp.Image("web", pp.Fake())
    (file,) = builder(image).files()
    file.write_bytes(b"other")
    assert builder.plan(image).tasks[0].reason == "web.tar was changed after it was built"
    with pytest.raises(pp.ValidationError, match="1 problem"):
        builder(image)
    builder(image, force=True)
    assert file.read_bytes() != b"other"


def test_output_exists(builder: Builder) -> None:
    """A folder that is not ours is refused before anything is made, and replaced with force."""
    folder = builder.folder / "output" / "web"
    folder.mkdir(parents=True)
    (folder / "precious").write_text("x")
    with pytest.raises(pp.ValidationError, match="output folder exists already"):
        builder(pp.Image("web", pp.Fake()))
    assert (folder / "precious").exists()
    assert builder.of(events.TaskStarted) == []
    builder(pp.Image("web", pp.Fake()), force=True)
    assert [path.name for path in folder.iterdir()] == ["web.tar"]
    assert builder.leftovers == []


def test_a_failed_forced_build_keeps_the_old_result(builder: Builder) -> None:
    """With force the old result goes when the new one is there, not before."""
    (file,) = builder(pp.Image("web", pp.Fake(content="old"))).files()
    old = file.read_bytes()
    with pytest.raises(SourceError):
        builder(pp.Image("web", pp.Fake(fail="capture")), force=True)
    assert file.read_bytes() == old
    assert builder.leftovers == []


@pytest.mark.parametrize("phase", ["boot", "connect", "capture"])
def test_failures_leave_nothing(builder: Builder, phase: Any) -> None:
    """Whatever fails, no folder, no work folder and no journal entry is left."""
    with pytest.raises(pp.BuildError) as caught:
        builder(pp.Image("web", pp.Fake(fail=phase)))
    assert caught.value.task == ("web/capture" if phase == "capture" else "web/boot")
    assert builder.leftovers == []
    assert not (builder.folder / "output" / "web").exists()
    assert pp.clean(cache=builder.folder / "cache") == ()


def test_failure_isolates(builder: Builder) -> None:
    """What does not stand on the failure is built; what does is aborted and names it."""
    bad = pp.Image("bad", pp.Fake(fail="boot"))
    user = pp.Image("user", pp.Fake(disk=bad.output()))
    with pytest.raises(SourceError):
        builder(bad, user, pp.Image("good", pp.Fake()))
    assert (builder.folder / "output" / "good").exists()
    aborted = [event for event in builder.of(events.TaskFinished) if event.status == "aborted"]
    assert {event.task for event in aborted if event.build == "user"} == {"user/boot", "user/capture", "user/deliver"}
    assert {event.error for event in aborted} == {"not run, because bad/boot failed"}


def test_several_failures_come_together(builder: Builder) -> None:
    """Two failed builds raise one group with both."""
    with pytest.raises(pp.BuildFailures) as caught:
        builder(pp.Image("a", pp.Fake(fail="boot")), pp.Image("b", pp.Fake(fail="capture")))
    assert {error.task for error in caught.value.exceptions} == {"a/boot", "b/capture"}  # type: ignore[attr-defined]
    assert not any(isinstance(error, PrerequisiteError) for error in caught.value.exceptions)


def test_preflight_problems_come_before_anything(builder: Builder) -> None:
    """What the host lacks is found for all builds before one begins."""
    with pytest.raises(pp.ValidationError) as caught:
        builder(
            pp.Image("a", pp.Fake(fail="preflight")), pp.Image("b", pp.Fake(fail="preflight")), pp.Image("c", pp.Fake())
        )
    assert len(caught.value.problems) == 2
    assert builder.of(events.TaskStarted) == []
    assert builder.leftovers == []


def test_a_plugin_bug_is_told_as_one(builder: Builder) -> None:
    """An exception that is not ours is kept whole and called the plug-in's bug."""
    with pytest.raises(PluginError, match="ZeroDivisionError") as caught:
        builder(pp.Image("web", pp.Fake(), provision=[Broken(ZeroDivisionError("division"))]))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "bug of the plug-in" in str(caught.value)
    assert builder.leftovers == []


def test_function_step(builder: Builder) -> None:
    """A plain function is called with a connection; one that raises fails its step with its own message."""

    def good(c: Any) -> None:
        c.run("echo hello")

    def bad(c: Any) -> None:
        del c
        raise ValueError("no such luck")

    builder(pp.Image("web", pp.Fake(), provision=[good]))
    assert "hello" in [event.text for event in builder.of(events.TaskOutput)]
    with pytest.raises(ProvisionError, match="no such luck"):
        builder(pp.Image("web2", pp.Fake(), provision=[bad]))


def test_failed_check_delivers_nothing(builder: Builder) -> None:
    """The image is not delivered when a test of it fails, and is when all pass."""
    image = pp.Image("web", pp.Fake(content="x"), tests=[pp.Check("cat /nowhere", retry_for=0)])
    with pytest.raises(pp.BuildError):
        builder(image)
    assert not (builder.folder / "output" / "web").exists()
    assert builder.leftovers == []
    builder(pp.Image("web", pp.Fake(content="x"), tests=[pp.Check("cat /content", stdout="x")]))


def test_check_sees_the_captured_content(builder: Builder) -> None:
    """The test machine starts from the artifact, not from the machine that was provisioned."""
    image = pp.Image(
        "web",
        pp.Fake(),
        provision=[pp.File(content="page", to="/www/page")],
        tests=[pp.Check("cat /www/page", stdout="page")],
    )
    builder(image)


def test_chains_and_what_is_kept(builder: Builder) -> None:
    """Each chain starts from the source's artifact; a compressed chain drops its input unless somebody keeps it."""
    image = pp.Image("web", pp.Fake(), post=[[pp.Compress("gz"), pp.Checksum("sha256")]])
    names = {path.name for path in builder(image).files()}
    assert names == {"web.tar.gz", "web.tar.gz.sha256"}
    kept = pp.Image("kept", pp.Fake(), post=[[pp.Compress("gz", keep_input=True)], pp.Manifest()])
    assert {path.name for path in builder(kept).files()} == {"kept.tar", "kept.tar.gz", "manifest.json"}
    delivered = builder.folder / "output" / "web"
    assert {path.name for path in delivered.iterdir()} == names


def test_what_others_stand_on_is_kept(builder: Builder) -> None:
    """A base keeps its disk although its only chain would drop it."""
    base = pp.Image("base", pp.Fake(content="b"), post=[pp.Compress("gz")])
    result = builder(pp.Image("web", pp.Fake(disk=base.output()), tests=[pp.Check("cat /content", stdout="b")]))
    assert "base.tar" in {path.name for path in result.files("base")}


def test_a_secret_is_masked_everywhere(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that prints its secret shows a mask in events; the journal, record and artifacts hold no clear text."""
    monkeypatch.setenv("TOKEN", "s3cr3t-t0ken")
    secret = pp.Secret(env="TOKEN")
    steps = Steps(lambda run, channel: run.output("stdout", f"token is {run.reveal(secret)}\n"), secret=secret)
    builder(pp.Image("web", pp.Fake(), provision=[steps], post=[pp.Manifest()]))
    assert "token is <secret>" in [event.text for event in builder.of(events.TaskOutput)]
    for path in builder.folder.rglob("*"):
        if path.is_file():
            assert b"s3cr3t-t0ken" not in path.read_bytes(), path


def test_ask_and_retry(builder: Builder) -> None:
    """With on_error='ask' the user's retry runs the step again on the same machine."""
    tries: list[int] = []

    def flaky(c: Any) -> None:
        del c
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("first time")

    asked: list[str] = []

    def ask(failure: Any) -> Any:
        asked.append(failure.task)
        return "retry"

    builder(pp.Image("web", pp.Fake(), provision=[flaky]), on_error="ask", ask=ask)
    assert asked == ["web/step-1"]
    assert len(tries) == 2
    boots = [event for event in builder.of(events.TaskStarted) if event.task == "web/boot"]
    assert len(boots) == 1


def test_abort_leaves_things(builder: Builder) -> None:
    """With on_error='abort' the failed build's folders stay, and clean removes them once the run's process is gone."""
    with pytest.raises(SourceError):
        builder(pp.Image("web", pp.Fake(fail="capture")), on_error="abort")
    assert builder.leftovers != []


@pytest.mark.parametrize("phase", ["boot", "step", "capture", "post", "deliver"])
def test_cancel_in_each_phase(builder: Builder, phase: str) -> None:
    """A cancel in any phase raises CancelledError and leaves nothing."""
    token = CancelToken()

    def listener(event: events.Event) -> None:
        if isinstance(event, events.TaskStarted) and phase in event.task:
            threading.Thread(target=token.request).start()

    def slow(run: Any, channel: Any) -> None:
        if phase == "step":
            run.wait(60)

    image = pp.Image(
        "web", pp.Fake(boot_seconds=60 if phase == "boot" else 0), provision=[Steps(slow)], post=[pp.Compress("gz")]
    )
    if phase in ("boot", "step"):
        with pytest.raises(pp.CancelledError, match="everything that was made has been undone"):
            builder(image, cancel=token, listeners=[listener])
        assert not (builder.folder / "output" / "web").exists()
    else:  # these may be over before the request is seen; then the build is whole
        try:
            builder(image, cancel=token, listeners=[listener])
        except pp.CancelledError:
            pass
        assert (builder.folder / "output" / "web").exists() in (True, False)
    assert builder.leftovers == []


_SCRIPT = """
import sys, threading
from pathlib import Path
import packerpy as pp
from packerpy import events

def listener(event):
    if isinstance(event, events.TaskStarted):
        print("STARTED", event.task, flush=True)
    if isinstance(event, events.CancelRequested):
        print("CANCEL", event.immediate, flush=True)

folder = Path(sys.argv[1])
image = pp.Image("web", pp.Fake(boot_seconds=600))
try:
    pp.build(image, output=folder / "output", cache=folder / "cache", listeners=[listener])
except pp.CancelledError as error:
    print("CANCELLED", error.brief, flush=True)
    sys.exit(error.exit_code)
"""


def _script(builder: Builder) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_SCRIPT), str(builder.folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "STARTED web/boot\n"
    return child


def test_ctrl_c_once(builder: Builder) -> None:
    """One SIGINT undoes everything, says so and exits with 130."""
    child = _script(builder)
    child.send_signal(signal.SIGINT)
    printed, _ = child.communicate(timeout=60)
    assert "CANCEL False" in printed
    assert "everything that was made has been undone" in printed
    assert child.returncode == 130
    assert builder.leftovers == []


_STUBBORN = """
import sys, threading
from pathlib import Path
import packerpy as pp
from packerpy import events
from packerpy.kit.process import spawn
from packerpy.testing.specs import Steps

def step(run, channel):
    child = spawn(["sleep", "600"])
    print("CHILD", child.pid, flush=True)
    threading.Event().wait(600)  # deaf to every cancel

def listener(event):
    if isinstance(event, events.CancelRequested):
        print("CANCEL", event.immediate, flush=True)

folder = Path(sys.argv[1])
image = pp.Image("web", pp.Fake(), provision=[Steps(step)])
try:
    pp.build(image, output=folder / "output", cache=folder / "cache", listeners=[listener])
except pp.CancelledError as error:
    print("CANCELLED", error.brief, flush=True)
    sys.exit(error.exit_code)
"""


def test_ctrl_c_twice(builder: Builder) -> None:
    """A second SIGINT ends a build that is deaf to the first at once, with the processes it started."""
    child = subprocess.Popen([sys.executable, "-c", _STUBBORN, str(builder.folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    started = os.pidfd_open(int(child.stdout.readline().split()[1]))
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "CANCEL False\n"
    child.send_signal(signal.SIGINT)
    printed, _ = child.communicate(timeout=60)
    assert "CANCEL True" in printed
    assert "CANCELLED stopped at once" in printed
    assert child.returncode == 130
    assert select.select([started], [], [], 60)[0], "the process it had started is still there"
    os.close(started)


_BUSY = """
import sys
from pathlib import Path
import packerpy as pp

folder = Path(sys.argv[1])
base = pp.Image("base", pp.Fake(content="x" * 1_000_000))
images = [pp.Image(f"i{n}", pp.Fake(disk=base.output()), post=[pp.Compress("gz")]) for n in range(20)]
print("GO", flush=True)
pp.build(*images, output=folder / "output", cache=folder / "cache")
"""


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_random(builder: Builder, moment: int) -> None:
    """Killed at whatever moment, every visible output folder is complete, and the next build finishes the rest."""
    child = subprocess.Popen([sys.executable, "-c", _BUSY, str(builder.folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        child.wait(random.Random(moment).uniform(0.0, 1.5))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    output = builder.folder / "output"
    visible = [path for path in output.iterdir() if not path.name.startswith(".")] if output.exists() else []
    for folder in visible:
        expected = ["base.tar"] if folder.name == "base" else [f"{folder.name}.tar.gz"]
        assert [path.name for path in folder.iterdir()] == expected
        for path in folder.glob("*.gz"):
            subprocess.run(["gzip", "--test", path], check=True)
    subprocess.run([sys.executable, "-c", _BUSY, str(builder.folder)], check=True, capture_output=True, timeout=120)
    assert len(list(output.iterdir())) == 21
    assert builder.leftovers == []


def test_sigkill_then_next_build_cleans(builder: Builder) -> None:
    """What a killed run left is found by clean, named in a dry run, and removed; a live run's things are not touched."""
    child = _script(builder)
    alive = pp.clean(cache=builder.folder / "cache")
    assert alive == ()
    assert builder.leftovers != []
    child.kill()
    child.communicate(timeout=60)
    named = pp.clean(cache=builder.folder / "cache", dry_run=True)
    assert any("staging folder" in leftover.title for leftover in named)
    assert builder.leftovers != []
    builder(pp.Image("other", pp.Fake()))
    assert builder.leftovers == []


def test_two_builds_of_the_same_output(builder: Builder) -> None:
    """While one build writes to a folder, another one to the same folder is refused."""
    child = _script(builder)
    try:
        with pytest.raises(OutputError, match="another build is writing"):
            builder(pp.Image("web", pp.Fake()))
    finally:
        child.kill()
        child.communicate(timeout=60)


def test_memory_is_respected(builder: Builder) -> None:
    """Two machines that together exceed the host's memory run one after the other."""
    running: list[int] = []
    most: list[int] = []

    def step(run: Any, channel: Any) -> None:
        running.append(1)
        most.append(len(running))
        run.wait(0.05)
        running.pop()

    huge = 10**15
    images = [pp.Image(f"i{n}", pp.Fake(memory=huge), provision=[Steps(step)]) for n in range(3)]
    builder(*images)
    assert max(most) == 1


def test_manifest_is_relative_to_its_folder(builder: Builder) -> None:
    """The manifest names files as they stand beside it."""
    result = builder(pp.Image("web", pp.Fake(), post=[pp.Manifest()]))
    manifest = next(path for path in result.files() if path.name == "manifest.json")
    names = [file["name"] for build in json.loads(manifest.read_text())["builds"] for file in build["files"]]
    assert names == ["web.tar"]


def test_events_tell_the_plan_first(builder: Builder) -> None:
    """The first event has every task with its reason, the last one the artifacts."""
    builder(pp.Image("web", pp.Fake()))
    first, last = builder.events[0], builder.events[-1]
    assert isinstance(first, events.RunStarted)
    assert first.tasks[0] == ("web/boot", "boot fake", "run", "not built yet", None)
    assert isinstance(last, events.RunFinished)
    assert last.status == "done"
    assert last.artifacts == (("web", str(builder.folder / "output" / "web" / "web.tar")),)


def test_a_listener_that_raises_breaks_nothing(builder: Builder) -> None:
    """A bug in a renderer does not lose a build."""

    def listener(event: events.Event) -> None:
        raise RuntimeError

    builder(pp.Image("web", pp.Fake()), listeners=[listener])


def test_function_spec_is_the_wrapped_function() -> None:
    """Wrapping by hand allows a name."""

    def step(c: Any) -> None:
        del c

    assert Function(step, name="install").title == "install"
    assert Function(step).title == "step()"


def test_parallel(builder: Builder) -> None:
    """Independent images run at the same time: each waits for the other at a barrier."""
    barrier = threading.Barrier(2, timeout=60)

    def step(run: Any, channel: Any) -> None:
        barrier.wait()

    builder(*(pp.Image(f"i{n}", pp.Fake(), provision=[Steps(step)]) for n in range(2)))


def test_names_with_spaces_and_letters_of_any_script(builder: Builder) -> None:
    """They become the names of folder and file."""
    result = builder(pp.Image("web été 中文", pp.Fake(), post=[pp.Checksum("sha256")]))
    assert {path.name for path in result.files()} == {"web été 中文.tar", "web été 中文.tar.sha256"}


@pytest.fixture(autouse=True)
def _no_threads_left() -> Any:
    """No unit's thread outlives its build."""
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("packerpy ")]
    assert left == []


def test_path_of_output_can_be_relative(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative output folders are relative to the working folder."""
    monkeypatch.chdir(builder.folder)
    result = builder(pp.Image("web", pp.Fake(), output="elsewhere"))
    assert result.files() == (Path(builder.folder / "elsewhere" / "web.tar"),)


def test_a_step_that_cancels_by_itself_is_a_failure(builder: Builder) -> None:
    """Nobody asked for it, so the build does not end as if all were well."""

    def gives_up(c: Any) -> None:
        raise pp.CancelledError("no more")

    with pytest.raises(pp.CancelledError, match="no more"):
        builder(pp.Image("web", pp.Fake(), provision=[gives_up]))
    assert builder.leftovers == []
