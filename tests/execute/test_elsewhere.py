"""Layers whose content is on a platform: it goes when the layer goes, and not before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.artifacts.layers import LayerStore
from packerpy.backends.fake.source import FakeSource
from packerpy.contracts import Communicator, Finish, Run, Source, Step
from packerpy.execute.clean import clean
from packerpy.kit.folder import Folder
from packerpy.values import Machine
from tests.execute.conftest import Builder

_DAY = 86400.0


@attrs.frozen(kw_only=True, slots=False)
class Remote(pp.Fake):
    """A fake machine that is saved at a "platform", which is a folder."""

    platform: Path

    def load(self) -> Source:
        """The worker."""
        return RemoteSource(self)


@attrs.frozen
class RemoteSource(FakeSource):
    """Saves into a folder of its own, outside of the layer."""

    spec: Remote

    @property
    def max_age(self) -> float:
        """A day."""
        return _DAY

    def save(self, run: Run, machine: Machine, channel: Communicator, layer: Path) -> Finish:
        """Copy the machine to the platform, and write into the layer where it is."""
        place = run.do(Folder(self.spec.platform / layer.name, "saved machine"))
        shutil.copytree(machine.id, place / "machine")
        (layer / "place").write_text(str(place))
        return lambda: None

    def held(self, layer: Path) -> Iterable[Step[Any]]:
        """Its folder."""
        return (Folder(Path((layer / "place").read_text()), "saved machine"),)

    def restore(self, run: Run, layer: Path) -> Machine:
        """Copy it back."""
        return super().restore(run, Path((layer / "place").read_text()))


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """Where machines are saved."""
    folder = tmp_path / "platform"
    folder.mkdir()
    return folder


def _image(platform: Path, *lines: str, **options: Any) -> pp.Image:
    def step(line: str) -> pp.Function:
        def run(c: Any) -> None:
            c.run(line)

        return pp.Function(run, name=line)

    return pp.Image(
        "web", Remote(layers="live", platform=platform, **options), provision=[step(line) for line in lines]
    )


def _store(builder: Builder) -> LayerStore:
    return LayerStore(builder.folder / "cache" / "layers")


def test_the_layer_keeps_it(builder: Builder, platform: Path) -> None:
    """It outlives the run that made it, also one that fails later; a machine that was only booted is not saved."""
    with pytest.raises(pp.BuildError):
        builder(_image(platform, "a", "b", "boom", fail_on="boom"))
    assert len(list(platform.iterdir())) == 2
    builder.events.clear()
    with pytest.raises(pp.BuildError):
        builder(_image(platform, "a", "b", "boom", fail_on="boom"))
    assert not [event for event in builder.of(events.TaskFinished) if event.status == "done"], "all was restored"
    assert clean(cache=builder.folder / "cache") == ()
    assert len(list(platform.iterdir())) == 2


def test_a_dropped_layer_drops_it(builder: Builder, platform: Path) -> None:
    """Whoever drops the layer, the next clean-up or build removes what it held; a trial run only tells."""
    builder(_image(platform, "a", "b"))
    cache = builder.folder / "cache"
    store = _store(builder)
    (first, second) = store.list()
    store.drop(first.key)
    assert len(list(platform.iterdir())) == 2
    (told,) = clean(cache=cache, dry_run=True)
    assert told.title.startswith("a") or told.title.startswith("b")
    assert len(list(platform.iterdir())) == 2
    assert clean(cache=cache) == (told,)
    assert len(list(platform.iterdir())) == 1
    store.drop(second.key)
    builder(_image(platform, "c"), force=True)
    assert len(list(platform.iterdir())) == 1, "the old one went, the new one came"


def test_what_nobody_uses_goes(builder: Builder, platform: Path) -> None:
    """A layer that was not used for its greatest age is dropped, with what it holds."""
    builder(_image(platform, "a", "b"))
    store = _store(builder)
    (layer, _) = store.list()
    old = layer.used - _DAY - 60
    os.utime(store.path(layer.key), (old, old))
    assert [one.error for one in clean(cache=builder.folder / "cache")] == [""]
    assert len(list(platform.iterdir())) == len(store.keys()) == 1


def test_what_cannot_be_removed_is_tried_again(
    builder: Builder, platform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform refuses: it is told, and stays noted until it goes."""
    builder(_image(platform, "a"))
    store = _store(builder)

    def refuse(*_: object) -> None:
        raise pp.BuildError("the platform sleeps")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "find", refuse)
        for key in sorted(store.keys()):
            store.drop(key)
        assert ["the platform sleeps" in one.error for one in clean(cache=builder.folder / "cache")] == [True]
    assert [one.error for one in clean(cache=builder.folder / "cache")] == [""]
    assert list(platform.iterdir()) == []


def test_who_comes_second_takes_his_away(builder: Builder, platform: Path) -> None:
    """Another build has published the same layer meanwhile: what was saved for nothing is undone."""
    builder(_image(platform, "a"))
    kept = list(platform.iterdir())
    builder(_image(platform, "a"), force=True, no_cache=True)
    assert len(list(platform.iterdir())) == 1
    assert list(platform.iterdir()) != kept, "done again, it takes the other's place"
