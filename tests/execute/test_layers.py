"""Saved machines: nothing is done twice, whoever asks, and whatever became of a layer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import packerpy as pp
from packerpy import events
from packerpy.artifacts.layers import LayerStore, evict
from packerpy.backends.fake.source import FakeSource
from packerpy.errors import OutputError
from packerpy.testing.specs import Steps
from tests.execute.conftest import Builder


def _image(name: str, *lines: str, **options: Any) -> pp.Image:
    """An image on a fake machine that is saved, with one step a line."""
    return pp.Image(name, pp.Fake(layers="live", **options), provision=[_say(line) for line in lines])


def _say(line: str) -> pp.Function:
    def step(c: Any) -> None:
        c.run(f"echo {line}")

    return pp.Function(step, name=line)


def _ran(builder: Builder) -> list[str]:
    """The tasks that were really done, in order; then forget the events."""
    done = [event.task for event in builder.of(events.TaskFinished) if event.status == "done"]
    builder.events.clear()
    return [task for task in done if not task.endswith("deliver")]


def _log(result: pp.BuildResult, name: str) -> list[str]:
    """The commands that the machine of a delivered image has seen."""
    with tarfile.open(result.files(name)[0]) as tar:
        log = tar.extractfile("commands.log")
        assert log is not None
        return log.read().decode().splitlines()


def test_editing_the_last_step_runs_only_that(builder: Builder) -> None:
    """The machine is restored from the layer before."""
    builder(_image("web", "a", "b", "c"))
    assert _ran(builder) == ["web/boot", "web/step-1", "web/step-2", "web/step-3", "web/capture"]
    changed = _image("web", "a", "b", "d")
    actions = [task.action for task in builder.plan(changed).tasks]
    assert actions == ["reuse", "reuse", "restore", "run", "run", "run"]
    result = builder(changed, force=True)
    assert _ran(builder) == ["web/step-3", "web/capture"]
    assert _log(result, "web") == ["echo a", "echo b", "echo d"]


def test_shared_steps_run_once(builder: Builder) -> None:
    """Eight images that differ in the last step boot once and do the first steps once."""
    images = [_image(f"i{n}", "a", "b", f"last{n}") for n in range(8)]
    result = builder(*images)
    ran = _ran(builder)
    assert sum(task.endswith("/boot") for task in ran) == 1
    assert len(ran) == 3 + 8 + 8
    for n in range(8):
        assert _log(result, f"i{n}") == ["echo a", "echo b", f"echo last{n}"]


def test_equal_images_of_other_names_are_their_own(builder: Builder) -> None:
    """They share the machine, but each is delivered under its own name."""
    result = builder(_image("one", "a"), _image("two", "a"))
    assert {path.name for path in result.files()} == {"one.tar", "two.tar"}
    assert [task for task in _ran(builder) if "step" in task] == ["one/step-1"]


def test_a_failed_step_resumes(builder: Builder) -> None:
    """What was done before the failure is not done again."""
    failing = pp.Fake(layers="live", fail_on="boom")
    with pytest.raises(pp.BuildError):
        builder(pp.Image("web", failing, provision=[_say("a"), _boom()]))
    assert _ran(builder) == ["web/boot", "web/step-1"]
    with pytest.raises(pp.BuildError):
        builder(pp.Image("web", failing, provision=[_say("a"), _boom()]))
    assert _ran(builder) == []
    assert builder.leftovers == []


def _boom() -> pp.Function:
    def step(c: Any) -> None:
        c.run("boom")

    return pp.Function(step)


def test_a_failed_shared_step_names_itself(builder: Builder) -> None:
    """Builds that wait for a step another build makes are aborted and name it."""
    source = pp.Fake(layers="live", fail_on="boom")
    images = [pp.Image(f"i{n}", source, provision=[_boom(), _say(str(n))]) for n in range(2)]
    with pytest.raises(pp.BuildError) as caught:
        builder(*images)
    assert caught.value.task == "i0/step-1"
    aborted = {event.error for event in builder.of(events.TaskFinished) if event.status == "aborted"}
    assert aborted == {"not run, because i0/step-1 failed"}
    assert builder.leftovers == []


def test_a_damaged_layer_is_dropped_and_made_again(builder: Builder) -> None:
    """A file of a layer that changed is noticed; the result is right."""
    builder(_image("web", "a", "b"))
    _ran(builder)
    store = LayerStore(builder.folder / "cache" / "layers")
    for layer in store.list():
        if layer.title in ("a", "b"):
            for path in store.path(layer.key).rglob("commands.log"):
                path.write_text("damaged\n")
    result = builder(_image("web", "a", "c"), force=True)
    assert _ran(builder) == ["web/step-1", "web/step-2", "web/capture"]
    assert _log(result, "web") == ["echo a", "echo c"]


def test_a_layer_that_vanishes_meanwhile_costs_only_time(builder: Builder) -> None:
    """Dropped between two steps of a running build, it is made good by doing its step again."""
    store = LayerStore(builder.folder / "cache" / "layers")

    def listener(event: events.Event) -> None:
        if isinstance(event, events.TaskFinished) and event.task == "web/step-1":
            for key in sorted(store.keys()):
                store.drop(key)

    result = builder(_image("web", "a", "b"), listeners=[listener])
    assert _log(result, "web") == ["echo a", "echo b"]
    assert builder.leftovers == []


def test_a_full_disk_costs_the_layer_not_the_build(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """When layers cannot be saved, the build goes on without them and says so."""

    def full(*args: Any) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(FakeSource, "save", full)
    result = builder(_image("web", "a", "b"))
    assert _log(result, "web") == ["echo a", "echo b"]
    said = [event.text for event in builder.of(events.TaskMessage)]
    assert "the machine is not saved: no space left" in said
    assert LayerStore(builder.folder / "cache" / "layers").keys() == frozenset()
    assert builder.leftovers == []


def test_what_cannot_be_keyed_runs_every_time(builder: Builder) -> None:
    """A step without a key, and all after it, run on a clone of the last layer that has one."""
    calls: list[int] = []
    odd = Steps(lambda run, channel: calls.append(1), secret=object())

    def image(last: str) -> pp.Image:
        return pp.Image("web", pp.Fake(layers="live"), provision=[_say("a"), odd, _say(last)])

    builder(image("b"))
    builder(image("b"), force=True)
    assert len(calls) == 2
    assert [task for task in _ran(builder) if task == "web/step-1"] == ["web/step-1"]


def test_layers_off(builder: Builder) -> None:
    """Without layers the machine is handed on and nothing is stored."""
    builder(pp.Image("web", pp.Fake(), provision=[_say("a")]))
    assert LayerStore(builder.folder / "cache" / "layers").keys() == frozenset()


def test_eviction(builder: Builder) -> None:
    """The layers used longest ago go first, until the rest fits."""
    builder(_image("web", "a", "b"))
    store = LayerStore(builder.folder / "cache" / "layers")
    layers = store.list()
    assert len(layers) == 3
    dropped = evict((store,), sum(layer.size for layer in layers) - 1)
    assert dropped == layers[:1]
    assert len(store.keys()) == 2


_KILLED = """
import os, sys, signal
from pathlib import Path
import packerpy as pp
from packerpy.artifacts import journal

folder = Path(sys.argv[1])
seen = 0

def counted(real):
    def call(*args, **kwargs):
        global seen
        answer = real(*args, **kwargs)
        seen += 1
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    return call

for name in ("intend", "made", "kept", "undone"):
    setattr(journal.Journal, name, counted(getattr(journal.Journal, name)))

def a(c): c.run("echo a")
def b(c): c.run("echo b")

def build():
    source = pp.Fake(layers="live")
    post = [[pp.Compress("gz", keep_input=True), pp.Checksum()]]
    images = [pp.Image(n, source, provision=[a, b], tests=[a], post=post) for n in ("one", "two")]
    pp.build(*images, output=folder / "output", cache=folder / "cache")
    (folder / "seen").write_text(str(seen))

for line in sys.stdin:  # one build a line, in a child of its own, so that Python starts once
    count = int(line)
    child = os.fork()
    if child == 0:
        build()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed_at_every_journal_point(builder: Builder) -> None:
    """Killed right after each line of the journal, in turn: the next build finds a clean house and succeeds.

    What was finished before is not done again, and nothing that is not whole can be seen.
    """
    script = builder.folder / "killed.py"  # a file, so that functions have a source to be keyed by
    script.write_text(_KILLED)
    output, cache = builder.folder / "output", builder.folder / "cache"
    child = subprocess.Popen(
        [sys.executable, script, str(builder.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(count: int) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{count}\n")
        child.stdin.flush()
        return int(child.stdout.readline())

    def stored() -> frozenset[str]:
        return LayerStore(cache / "layers").keys() | LayerStore(cache / "results").keys()

    with child:
        assert run(-1) == 0
        points = int((builder.folder / "seen").read_text())
        assert points >= 40
        for point in range(1, points + 1):
            shutil.rmtree(output)
            shutil.rmtree(cache)
            assert run(point) == -signal.SIGKILL
            for folder in [p for p in output.iterdir() if not p.name.startswith(".")] if output.exists() else []:
                assert {path.name for path in folder.iterdir()} == {
                    f"{folder.name}.tar",
                    f"{folder.name}.tar.gz",
                    f"{folder.name}.tar.gz.sha256",
                }
            before = stored()
            assert run(-1) == 0, point
            assert before <= stored()
            assert builder.leftovers == []
            for store in ("layers", "results"):
                hidden = [path.name for path in (cache / store).iterdir() if path.name.startswith(".")]
                assert set(hidden) <= {".locks"}, point


def test_two_processes_share_the_work(builder: Builder) -> None:
    """Both succeed, and each layer is made once."""
    script = """
import sys
from pathlib import Path
import packerpy as pp
from packerpy import events
def a(c): c.run("echo a")
def b(c): c.run("echo b")
folder = Path(sys.argv[1])
image = pp.Image(sys.argv[2], pp.Fake(layers="live", boot_seconds=1.0), provision=[a, b])
said = []
pp.build(image, output=folder / "output", cache=folder / "cache", listeners=[said.append])
print(sum(isinstance(e, events.TaskMessage) and "meanwhile" in e.text for e in said))
"""
    file = builder.folder / "two.py"
    file.write_text(script)
    children = [
        subprocess.Popen([sys.executable, file, str(builder.folder), name], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    printed = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert len(LayerStore(builder.folder / "cache" / "layers").keys()) == 3
    assert {path.name for path in (builder.folder / "output").iterdir()} == {"one", "two"}
    assert any(text.strip() != "" for text in printed)


WORDS = st.lists(st.sampled_from("abc"), min_size=0, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chains=st.lists(WORDS, min_size=2, max_size=4))
def test_with_layers_equals_without(builder: Builder, chains: list[list[str]]) -> None:
    """Whatever chains were built before, the result with layers is the result without."""
    for chain in chains:
        image = _image("web", *chain)
        with_layers = builder(image, force=True).files("web")[0].read_bytes()
        plain = pp.Image("web", pp.Fake(), provision=[_say(word) for word in chain])
        without = builder(plain, force=True, output=builder.folder / "plain").files("web")[0].read_bytes()
        assert with_layers == without


def test_layers_are_private(builder: Builder) -> None:
    """A layer holds a machine's memory, so nobody else may look."""
    builder(_image("web", "a"))
    folder = builder.folder / "cache" / "layers"
    assert folder.stat().st_mode & 0o077 == 0
    for key in sorted(LayerStore(folder).keys()):
        assert (folder / key).stat().st_mode & 0o077 == 0
    assert os.access(folder, os.R_OK)
