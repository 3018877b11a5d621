"""The planner: what runs, in what order, and why."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import packerpy as pp
from packerpy.contracts import Provisioner, ProvisionerSpec
from packerpy.plan import Again, Known, Past, Plan, plan, reasons
from packerpy.validate import collect


def _plan(*images: pp.Image, known: Known | None = None, **select: list[str]) -> Plan:
    return plan(collect(images), known or Known(), **select)


def _key(image: pp.Image, known: Known | None = None) -> str | None:
    return _plan(image, known=known).builds[image.name].delivery.key


def _step(c: object) -> None:
    """A step."""


def test_tasks_of_a_build() -> None:
    """A build is boot, steps, capture, test, chains, deliver, each needing the one before."""
    image = pp.Image(
        "web",
        pp.Fake(),
        provision=[_step, _step],
        tests=[_step],
        post=[pp.Checksum(), [pp.Compress("gz"), pp.Checksum()]],
    )
    tasks = _plan(image).tasks
    names = ["boot", "step-1", "step-2", "capture", "test", "post-1", "post-2.1", "post-2.2", "deliver"]
    assert [task.id for task in tasks] == [f"web/{name}" for name in names]
    assert tasks[-1].needs == ("web/test", "web/post-1", "web/post-2.2")
    assert tasks[5].needs == tasks[6].needs == ("web/test",)


def test_order_follows_references() -> None:
    """What an image stands on comes first, however the images are given."""
    base = pp.Image("base", pp.Fake())
    web = pp.Image("web", pp.Fake(disk=base.output()))
    made = _plan(web, base)
    assert list(made.builds) == ["base", "web"]
    assert made.task("web/boot").needs == ("base/deliver",)


def test_planning_twice_gives_the_same_keys() -> None:
    """A plan is a pure function of the declarations."""
    image = pp.Image("web", pp.Fake(content="x"), provision=[_step])
    assert [task.key for task in _plan(image).tasks] == [task.key for task in _plan(image).tasks]


def test_what_changes_a_key() -> None:
    """A changed field, name, step or base changes the key."""
    base = pp.Image("base", pp.Fake())
    keys = [
        _key(pp.Image("web", pp.Fake())),
        _key(pp.Image("web", pp.Fake(content="x"))),
        _key(pp.Image("web2", pp.Fake())),
        _key(pp.Image("web", pp.Fake(), provision=[_step])),
        _key(pp.Image("web", pp.Fake(), post=[pp.Checksum()])),
        _key(pp.Image("web", pp.Fake(disk=base.output()))),
    ]
    assert len(set(keys)) == len(keys)


def test_what_does_not_change_a_key() -> None:
    """The order of a dict does not; nor does a comment or a blank line in a function."""
    a = pp.Image("web", pp.Fake(), provision=[pp.Shell("true", env={"A": "1", "B": "2"})])
    b = pp.Image("web", pp.Fake(), provision=[pp.Shell("true", env={"B": "2", "A": "1"})])
    assert _key(a) == _key(b)


def _function(folder: Path, text: str) -> object:
    """A function from a file of its own, so that it has a source."""
    import importlib.util

    path = folder / f"step_{time.monotonic_ns()}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.step


def test_functions_are_keyed_by_their_syntax(tmp_path: Path) -> None:
    """Comments and blank lines do not count, code does."""
    plain = _function(tmp_path, "def step(c):\n    c.run('a')\n")
    commented = _function(tmp_path, "# hello\n\ndef step(c):\n    # why\n    c.run('a')\n")
    other = _function(tmp_path, "def step(c):\n    c.run('b')\n")
    keys = [_key(pp.Image("web", pp.Fake(), provision=[f])) for f in (plain, commented, other)]  # type: ignore[list-item]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_closed_over_values_are_keyed() -> None:
    """Two functions with the same text and different closed-over values differ."""

    def make(word: str) -> object:
        def step(c: object) -> None:
            del c
            assert word

        return step

    one, two = (_key(pp.Image("web", pp.Fake(), provision=[make(word)])) for word in "ab")  # type: ignore[list-item]
    assert one != two


def test_what_a_function_uses_of_its_module_is_keyed(tmp_path: Path) -> None:
    """A changed constant, or a changed helper function, is a changed step; a library's function is known by name."""
    text = "import os\nfrom json import dumps\nWORD = {word!r}\n\ndef helper(c):\n    c.run({line!r} + WORD)\n\n"
    text += "def step(c):\n    helper(c)\n    dumps(os.name)\n"
    versions = [
        {"word": "a", "line": "x"},
        {"word": "a", "line": "x"},
        {"word": "b", "line": "x"},
        {"word": "a", "line": "y"},
    ]
    functions = [_function(tmp_path, text.format(**version)) for version in versions]
    keys = [_key(pp.Image("web", pp.Fake(), provision=[f])) for f in functions]  # type: ignore[list-item]
    assert None not in keys
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_what_cannot_be_keyed_is_never_reused() -> None:
    """A function without source has no key, and the plan says why."""
    namespace: dict[str, object] = {}
    exec("def step(c): pass", namespace)
    made = _plan(pp.Image("web", pp.Fake(), provision=[namespace["step"]]))  # type: ignore[list-item]
    assert made.builds["web"].delivery.key is None
    assert "cannot be keyed: the function step" in made.tasks[0].reason


def test_file_content_is_keyed_not_its_name_or_time(tmp_path: Path) -> None:
    """The digest of a read file is in the key."""
    file = tmp_path / "page"
    file.write_text("x")
    image = pp.Image("web", pp.Fake(), provision=[pp.File(file, to="/page")])
    one = _key(image, Known(digests={file: "aa"}))
    assert one == _key(image, Known(digests={file: "aa"}))
    assert one != _key(image, Known(digests={file: "bb"}))


def test_secrets_enter_keys_by_their_hash_only() -> None:
    """A changed secret changes the key; its text is nowhere in the plan."""
    secret = pp.Secret(value="hunter2")
    image = pp.Image("web", pp.Fake(), provision=[pp.Shell("true", env={"P": secret})])
    assert _key(image, Known(secrets={secret: "h1"})) != _key(image, Known(secrets={secret: "h2"}))
    from packerpy.plan.render import as_json

    assert "hunter2" not in as_json(_plan(image, known=Known(secrets={secret: "h1"})))


def _history(made: Plan, seconds: float = 1.0) -> dict[str, Past]:
    """As if every task of a plan had been done, one second each."""
    return {task.id: Past(key=task.key, seconds=seconds, at=0.0, ingredients=task.ingredients()) for task in made.tasks}


def test_reasons() -> None:
    """Not built, unchanged, changed (naming what), gone: each says so."""
    old, new = pp.Image("web", pp.Fake(content="a")), pp.Image("web", pp.Fake(content="b"))
    first = _plan(old).builds["web"]
    assert first.tasks[0].reason == "not built yet"
    key = first.delivery.key
    assert key is not None
    again = _plan(old, known=Known(built={key: ()}))
    assert {(task.action, task.reason) for task in again.tasks} == {("reuse", "unchanged")}
    changed = _plan(new, known=Known(history=_history(_plan(old))))
    assert changed.tasks[0].reason == "changed: boot: content"
    assert changed.tasks[1].reason == "follows web/boot"
    gone = _plan(old, known=Known(changed={key: "web.tar is gone"}))
    assert gone.tasks[0].reason == "web.tar is gone"


def test_the_first_task_that_runs_has_the_reason() -> None:
    """With a layer before it, that is the step whose input changed."""
    old = pp.Image("web", pp.Fake(layers="live"), provision=[pp.Shell("a"), pp.Shell("b")])
    new = pp.Image("web", pp.Fake(layers="live"), provision=[pp.Shell("a"), pp.Shell("c")])
    saved = {"web": "fingerprint"}
    before = _plan(old, known=Known(fingerprints=saved))
    stored = frozenset(task.key for task in before.tasks if task.key)
    made = _plan(new, known=Known(fingerprints=saved, layers=stored, history=_history(before)))
    assert [task.action for task in made.tasks] == ["reuse", "restore", "run", "run", "run"]
    assert made.task("web/step-2").reason.startswith("changed: run c: ")
    assert made.task("web/capture").reason == "follows web/step-2"


def test_estimates() -> None:
    """A task takes what it took, and a plan what its longest chain takes; nobody guesses what was never done."""
    base = pp.Image("base", pp.Fake())
    images = [base, *(pp.Image(name, pp.Fake(disk=base.output())) for name in "ab")]
    assert _plan(*images).seconds is None
    made = _plan(*images, known=Known(history=_history(_plan(*images), 2.0)))
    assert {task.seconds for task in made.tasks} == {2.0}
    assert made.seconds == 12.0
    key = made.builds["base"].delivery.key
    assert key is not None
    assert _plan(*images, known=Known(history=_history(made, 2.0), built={key: ()})).seconds == 6.0


def test_a_step_that_is_not_cached() -> None:
    """It has no key, nor has what comes after it; what comes before it has."""
    shell = _Meta(pp.Shell("a"), cache=False)
    made = _plan(pp.Image("web", pp.Fake(), provision=[pp.Shell("x"), shell, pp.Shell("y")]))
    assert [task.key is None for task in made.tasks] == [False, False, True, True, True, True]
    assert made.tasks[0].reason == "never re-used: 'run a' says cache=False"


def test_a_step_with_a_greatest_age() -> None:
    """While it is young its key stays; then it changes, and all keys after it."""
    image = pp.Image("web", pp.Fake(), provision=[_Meta(pp.Shell("apt-get update"), max_age=100.0), pp.Shell("y")])
    first = _plan(image, known=Known(now=1000.0)).task("web/step-1")
    assert first.generation is not None
    written = {first.generation[0]: first.generation[1]}

    def key(now: float, name: str) -> str | None:
        return _plan(image, known=Known(now=now, generations=written)).task(f"web/{name}").key

    assert key(1100.0, "step-1") == first.key
    assert key(1100.1, "step-1") != first.key
    assert key(1050.0, "deliver") != key(1101.0, "deliver")
    assert key(1050.0, "boot") == key(1101.0, "boot")


@attrs.frozen
class _Meta(ProvisionerSpec):
    """A step with a word on caching."""

    kind: ClassVar[str] = "meta"

    inner: pp.Shell
    cache: bool = attrs.field(default=True, metadata={"key": False})
    max_age: float | None = attrs.field(default=None, metadata={"key": False})

    @property
    def title(self) -> str:
        return self.inner.title

    def check(self) -> Iterable[pp.Problem]:
        return ()

    def load(self) -> Provisioner:
        return self.inner.load()


def test_fields_of_the_capture(tmp_path: Path) -> None:
    """How a machine is shut down and written decides the captured image, and not the machine before that."""
    saved = Known(fingerprints={"web": "fingerprint"})

    def keys(**options: Any) -> list[str | None]:
        image = pp.Image("web", pp.Qemu(disk=tmp_path / "disk", **options), provision=[pp.Shell("a")])
        return [task.key for task in _plan(image, known=saved).tasks]

    plain = keys()
    for options in ({"shutdown": "fast"}, {"format": "raw"}, {"compress": True}, {"generalize": False}):
        assert [a == b for a, b in zip(plain, keys(**options), strict=True)] == [True, True, False, False]
    assert keys(boot_timeout=5.0, shutdown_timeout=9.0) == plain
    assert keys(memory="2 GiB")[0] != plain[0]


def test_asked_for_again() -> None:
    """Everything, from a task on, or the post-processors: what is stored does not count from there on."""
    image = pp.Image("web", pp.Fake(layers="live"), provision=[pp.Shell("a"), pp.Shell("b")], post=[pp.Checksum()])
    saved = {"web": "fingerprint"}
    keys = [task.key or "" for task in _plan(image, known=Known(fingerprints=saved)).tasks]
    known = Known(
        fingerprints=saved, layers=frozenset(keys[:3]), results=dict.fromkeys(keys[3:5], ()), built={keys[-1]: ()}
    )

    def actions(**again: Any) -> list[str]:
        made = plan(collect([image]), known, again=Again(**again))
        assert made.task(next(task.id for task in made.tasks if task.again)).reason == "asked for"
        return [task.action for task in made.tasks]

    assert {task.action for task in _plan(image, known=known).tasks} == {"reuse"}
    assert actions(everything=True) == ["run"] * 6
    assert actions(from_=["step-2"]) == ["reuse", "restore", "run", "run", "run", "run"]
    assert actions(from_=["web/capture"]) == ["reuse", "reuse", "restore", "run", "run", "run"]
    assert actions(from_=["run b*"]) == actions(from_=["step-2"])
    assert actions(post=True) == ["reuse"] * 4 + ["run", "run"]
    with pytest.raises(pp.PlanError, match="no task is called 'step-9'"):
        actions(from_=["step-9"])
    with pytest.raises(pp.PlanError, match="post-processors of web alone cannot be run: web/boot has to run first"):
        plan(collect([image]), Known(), again=Again(post=True))


def test_what_comes_along_is_not_done_again() -> None:
    """An image that is only pulled in is re-used, whatever is asked for the one that is wanted."""
    base = pp.Image("base", pp.Fake())
    web = pp.Image("web", pp.Fake(disk=base.output()))
    keys = {name: build.delivery.key or "" for name, build in _plan(base, web).builds.items()}
    known = Known(built={keys["base"]: (), keys["web"]: ()})
    made = plan(collect([base, web]), known, only=["web"], again=Again(everything=True))
    assert made.builds["base"].reused
    assert {task.action for task in made.builds["web"].tasks} == {"run"}


def test_images_that_are_not_delivered() -> None:
    """They are left alone when nothing that must be done stands on them."""
    for keep in ("cache", "no"):
        base = pp.Image("base", pp.Fake(), keep=keep)  # type: ignore[arg-type]
        web = pp.Image("web", pp.Fake(disk=base.output()))
        made = _plan(web)
        assert {task.action for task in made.tasks} == {"run"}
        key = made.builds["web"].delivery.key
        assert key is not None
        again = _plan(web, known=Known(built={key: ()}))
        assert {(task.action, task.reason) for task in again.builds["base"].tasks} == {("reuse", "not needed")}
        changed = pp.Image("web", pp.Fake(disk=base.output()), provision=[_step])
        assert not _plan(changed, known=Known(built={key: ()})).builds["base"].reused


def test_why() -> None:
    """What changed in a task, and else in the nearest one above it."""
    old = pp.Image("web", pp.Fake(), provision=[pp.Shell("a"), pp.Shell("b", env={"A": "1"}), pp.Shell("z")])
    new = pp.Image("web", pp.Fake(), provision=[pp.Shell("a"), pp.Shell("b", env={"A": "2"}), pp.Shell("z")])
    history = _history(_plan(old))
    made = _plan(new, known=Known(history=history))
    found = reasons(made, "web/step-2", history)
    assert [change.name for change in found.changes] == ["run b: env"]
    assert "changed: run b: env  " in str(found)
    below = reasons(made, "web/step-3", history)
    assert below.changes == ()
    assert below.above is not None
    assert below.above[0].id == "web/step-2"
    assert "it stands on web/step-2" in str(below)
    assert reasons(made, "web/step-1", history).above is None
    assert "was not done before" in str(reasons(made, "web", {}))
    with pytest.raises(pp.PlanError, match="no task is called 'web/step-22'"):
        reasons(made, "web/step-22", history)


def test_selection() -> None:
    """Globs choose by build or image name, pull in what they stand on, and say so."""
    base = pp.Image("base", pp.Fake())
    web = pp.Image("web", sources=[pp.Fake(disk=base.output()), pp.Fake(name="b", disk=base.output())])
    assert list(_plan(base, web, only=["web.b"]).builds) == ["base", "web.b"]
    assert "needed by web.b" in _plan(base, web, only=["web.b"]).tasks[0].reason
    assert list(_plan(base, web, only=["web"]).builds) == ["base", "web.fake", "web.b"]
    assert list(_plan(base, web, except_=["web*"]).builds) == ["base"]
    with pytest.raises(pp.PlanError, match="no build is called 'wbe'"):
        _plan(base, web, only=["wbe"])
    with pytest.raises(pp.PlanError, match="leaves no build"):
        _plan(base, web, except_=["*"])


def test_renderings() -> None:
    """Text has a line a task, JSON is JSON, DOT names every edge."""
    from packerpy.plan.render import as_dot, as_json, as_text

    made = _plan(pp.Image("web", pp.Fake(), provision=[_step]))
    assert len(as_text(made).splitlines()) == 1 + 4 + 1
    assert [task["id"] for task in json.loads(as_json(made))["tasks"]][:2] == ["web/boot", "web/step-1"]
    assert '"web/boot" -> "web/step-1";' in as_dot(made)


def test_svg() -> None:
    """Graphviz draws the picture; it is among the tools the test set-up installs."""
    assert shutil.which("dot"), "install graphviz"
    assert _plan(pp.Image("web", pp.Fake()))._repr_svg_().rstrip().endswith("</svg>")


def test_time_grows_linearly() -> None:
    """Ten times as many images take about ten times as long (generously: under thirty), chains of any length included."""

    def seconds(count: int) -> float:
        images = [pp.Image("i0", pp.Fake(), provision=[_step])]
        for number in range(1, count):
            disk = images[-1].output() if number % 2 else None
            images.append(pp.Image(f"i{number}", pp.Fake(disk=disk, content=str(number)), provision=[_step]))
        start = time.process_time()
        _plan(*images)
        return time.process_time() - start

    small = min(seconds(300) for _ in range(3))
    assert seconds(3000) < 30 * small


def test_long_chains_need_no_deep_stack() -> None:
    """Two thousand images, each on the one before."""
    images = [pp.Image("i0", pp.Fake())]
    for number in range(1, 2000):
        images.append(pp.Image(f"i{number}", pp.Fake(disk=images[-1].output())))
    assert len(_plan(images[-1]).builds) == 2000
