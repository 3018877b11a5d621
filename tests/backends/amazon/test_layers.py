"""Instances that are saved after each step as images at Amazon. Moto's images are empty: the "disk" is a file of steps here."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.artifacts.layers import LayerStore
from packerpy.backends.amazon.errors import NotStarted
from packerpy.backends.amazon.layers import LayeredSource
from packerpy.execute.clean import clean
from packerpy.testing import RecordingChannel, TestRun
from tests.backends.amazon.cloud import Moto
from tests.backends.amazon.faults import Faults, through_all_faults
from tests.backends.amazon.test_ebs import ebs, remove_images
from tests.communicators.ssh.sshd_server import Sshd

_USER = pwd.getpwuid(os.getuid()).pw_name


@attrs.define
class Builds:
    """Builds one image with some steps; each step writes its line into a file in the place of the disk.

    :ivar ran: lines that were written since the last look.
    :ivar launched: images that instances were launched from since then.
    """

    moto: Moto
    port: int
    folder: Path
    seen: list[events.Event] = attrs.field(factory=list)
    made: list[Any] = attrs.field(factory=list)

    def __call__(self, *lines: str, **more: Any) -> pp.BuildResult:
        """Build."""
        result = pp.build(
            self.image(*lines, **more),
            output=self.folder / "output",
            cache=self.cache,
            force=True,
            listeners=[self.seen.append],
        )
        self.made.append(result.artifacts["web"][0])
        return result

    def image(self, *lines: str, **more: Any) -> pp.Image:
        """Declare it."""
        source = ebs(
            self.moto,
            **{
                "ami_name": "layered",
                "force_deregister": True,
                "force_delete_snapshot": True,
                "communicator": pp.SSH(host="127.0.0.1", port=self.port, user=_USER),
                "ingress": ["198.51.100.7/32"],
                "layers": "disk",
                **more,
            },
        )
        steps = [pp.Shell(f"echo {line} >> {self.folder}/disk; test {line} != boom") for line in lines]
        return pp.Image("web", source=source, provision=steps)

    @property
    def cache(self) -> Path:
        """Of this test."""
        return self.folder / "cache"

    @property
    def store(self) -> LayerStore:
        """Its layers."""
        return LayerStore(self.cache / "layers")

    def ran(self) -> list[str]:
        """The steps that were run since the last look."""
        disk = self.folder / "disk"
        lines = disk.read_text().split() if disk.exists() else []
        disk.unlink(missing_ok=True)
        return lines

    def images(self) -> list[str]:
        """Ids of saved machines at Amazon."""
        filters = [{"Name": "tag-key", "Values": ["packerpy:layer"]}]
        found = self.moto.client("ec2").describe_images(Owners=["self"], Filters=filters)["Images"]
        return [image["ImageId"] for image in found]

    def launched(self) -> list[str]:
        """The image of every instance so far, in order; ended ones can still be seen."""
        pages = self.moto.client("ec2").get_paginator("describe_instances").paginate()
        found = [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]
        return [one["ImageId"] for one in found if any(tag["Value"] == "web" for tag in one.get("Tags", ()))]

    def tidy(self) -> None:
        """Remove everything that is meant to stay."""
        for key in sorted(self.store.keys()):
            self.store.drop(key)
        assert [one.error for one in clean(cache=self.cache) if one.error] == []
        remove_images(self.moto, self.made[-1])


@pytest.fixture
def builds(moto: Moto, sshd: Sshd, tmp_path: Path) -> Iterator[Builds]:
    """After the test there is what was there before."""
    before = moto.inventory()
    made = Builds(moto, sshd.port, tmp_path)
    yield made
    if made.made:
        made.tidy()
    assert moto.inventory() == before


def test_only_the_edited_step_is_run(builds: Builds) -> None:
    """It is run on an instance of the image of the step before; an edit of the image's name runs none."""
    builds("a", "b", "c")
    assert builds.ran() == ["a", "b", "c"]
    layers = builds.images()
    assert len(layers) == 3
    first = builds.launched()
    builds("a", "b", "d")
    assert builds.ran() == ["d"]
    (launched,) = builds.launched()[len(first) :]
    assert launched == layers[1]
    builds("a", "b", "d", tags={"role": "web"})
    assert builds.ran() == []
    (launched,) = builds.launched()[len(first) + 1 :]
    assert launched == builds.images()[-1]
    (artifact,) = [builds.made[-1]]
    assert artifact.facts["source_ami"] == builds.moto.ami


def test_goes_on_after_a_failure(builds: Builds) -> None:
    """What was done before the failure is not done again; the images of the layers outlive the failed build."""
    with pytest.raises(pp.BuildError):
        builds("a", "boom")
    assert builds.ran() == ["a", "boom"]
    assert len(builds.images()) == 1
    builds("a", "b")
    assert builds.ran() == ["b"]


def test_removed_at_amazon(builds: Builds) -> None:
    """A layer whose image somebody deregistered is noticed and made again; its snapshot goes too."""
    builds("a", "b", "c")
    builds.ran()
    gone = builds.images()[1]
    builds.moto.client("ec2").deregister_image(ImageId=gone)
    builds("a", "b", "d")
    assert builds.ran() == ["b", "d"]
    said = [event.text for event in builds.seen if isinstance(event, events.TaskMessage)]
    assert any(gone in text and "dropped" in text for text in said)
    assert len(builds.images()) == 3, "a, c, and the new d"


def test_no_capacity_costs_no_layer(builds: Builds, faults: Faults) -> None:
    """An instance that cannot be had says nothing of the layer: the build fails, and the layer stays."""
    builds("a", "b")
    builds.ran()
    images = builds.images()
    faults.reset("refuse", -1)
    faults.refusals["ec2.RunInstances"] = "InsufficientInstanceCapacity"
    with pytest.raises(NotStarted, match="RunInstances"):
        builds("a", "c")
    faults.refusals.clear()
    faults.reset("none", -1)
    assert builds.images() == images


def test_an_image_that_cannot_be_made_costs_only_the_layer(builds: Builds, faults: Faults) -> None:
    """Too many snapshots at once: the build says so and goes on without saving, and its image is made."""
    faults.reset("refuse", -1)
    faults.refusals["ec2.CreateImage"] = "ConcurrentSnapshotLimitExceeded"
    faults.refused_with = "packerpy+layer"
    builds("a", "b")
    assert builds.ran() == ["a", "b"]
    assert builds.images() == []
    said = [event.text for event in builds.seen if isinstance(event, events.TaskMessage)]
    assert sum("not saved" in text for text in said) == 2


def test_old_ones_go(builds: Builds) -> None:
    """A layer that was not used for layers_max_age is dropped by the next build, and its image and snapshot go."""
    builds("a", "b", layers_max_age=3600)
    store = builds.store
    (first, _) = sorted(store.list(), key=lambda layer: layer.made)
    long_ago = time.time() - 3700
    os.utime(store.path(first.key), (long_ago, long_ago))
    before = builds.images()
    builds("a", "b", tags={"x": "y"}, layers_max_age=3600)
    assert len(store.keys()) == 1
    assert builds.images() == before[1:]


def test_another_account(builds: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of another account's layers are not looked for in this one: it is said, and they stay noted."""
    from packerpy.backends.amazon.steps.layer_image import LayerImage

    builds("a")
    (key,) = builds.store.keys()
    builds.store.drop(key)
    with monkeypatch.context() as patch:
        patch.setattr(LayerImage, "at", lambda *_: _Stranger())
        (left,) = clean(cache=builds.cache)
        assert "belongs to account 123456789012, and the credentials to 999999999999" in left.error
    assert len(builds.images()) == 1
    (left,) = clean(cache=builds.cache)
    assert (left.error, builds.images()) == ("", [])


class _Stranger:
    def call(self, operation: str, **_: object) -> dict[str, str]:
        assert operation == "sts.GetCallerIdentity"
        return {"Account": "999999999999"}


def test_every_request(moto: Moto, faults: Faults, tmp_path: Path) -> None:
    """Saving and launching again: each request is refused in turn, or the process dies after it; nothing is left."""
    spec = ebs(moto, layers="disk")

    def work(run: TestRun) -> None:
        source = spec.load()
        assert isinstance(source, LayeredSource)
        layer = run.workdir / "layer"
        layer.mkdir()
        channel = RecordingChannel()
        source.fingerprint(run)
        source.save(run, source.boot(run), channel, layer)()
        source.revive(run, source.restore(run, layer), channel)

    hit = through_all_faults(moto, faults, tmp_path, work, lambda _: None)
    assert hit["kill"].count("ec2.RunInstances") == 2
    assert "ec2.CreateImage" in hit["refuse"]
