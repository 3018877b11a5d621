"""An instance's volumes, saved as an image after each step; a later build launches the image and goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from packerpy.backends.amazon import launch
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import AmazonError, LayerLost, NotBecome, NotBecomeInTime, NotFound, NotStarted
from packerpy.backends.amazon.source import EBSSource
from packerpy.backends.amazon.steps.layer_image import LayerImage
from packerpy.backends.amazon.tags import LAYER, new_token
from packerpy.contracts import Cancellation, Checkpoints, Communicator, Finish, Run, SavesElsewhere, Step
from packerpy.errors import SourceError
from packerpy.kit.pause import pause
from packerpy.kit.publish import write_text
from packerpy.values import Command, Machine

_NAME = "layer.json"
_VERSION = 1
_PAUSE = (1.0, 15.0)
"""Seconds between two looks at an image that grows, at first and at most."""

_OWN = ("zone", "instance_type")
"""Facts of an instance; all others are of the build, whichever instance it goes on with."""

_converter = make_converter()


@attrs.frozen(kw_only=True)
class Record:
    """What a layer's folder says; all else is at Amazon.

    :ivar image: its id.
    :ivar step: what made it.
    :ivar facts: of the machine.
    """

    image: str
    step: LayerImage
    facts: dict[str, str]
    version: int = _VERSION


@attrs.frozen
class LayeredSource(EBSSource, Checkpoints, SavesElsewhere):
    """Boots, captures, saves and launches again."""

    @property
    def max_age(self) -> float:
        """As declared."""
        return self.spec.layers_max_age

    def fingerprint(self, run: Run) -> str:
        """Region, endpoint and account: an image cannot be launched elsewhere.

        Offline, or without credentials, the account is not known; then nothing that is there counts.
        """
        at = self.at(run)
        try:
            account = _account(at)
        except AmazonError:
            account = "unknown"
        place = (str(_VERSION), at.region, str(at.access.endpoint_url), account)
        return hashlib.sha256(json.dumps(place).encode()).hexdigest()[:32]

    def save(self, run: Run, machine: Machine, channel: Communicator, layer: Path) -> Finish:
        """See :class:`packerpy.contracts.Checkpoints`: what was written is put on the disk, all volumes are imaged.

        A journal may have to be replayed at the next boot, as after a power cut.
        """
        at = self.at(run)
        if machine.communicator is not None and machine.communicator.kind == "ssh":
            channel.run(Command(line="sync", timeout=300.0))
        step = self._step(at, machine)
        image = run.do(step)
        cancellation = run.cancellation

        def finish() -> None:
            _available(at, image, cancellation)
            facts = dict(machine.facts)
            write_text(layer / _NAME, _converter.dumps(Record(image=image, step=step, facts=facts)))

        return finish

    def _step(self, at: Cloud, machine: Machine) -> LayerImage:
        token = new_token()
        return LayerImage(
            access=at.access,
            region=at.region,
            token=token,
            tags={**self.spec.run_tags, LAYER: at.run.name[:256]},
            name=f"packerpy layer {token}",
            request={"InstanceId": machine.id, "NoReboot": True, "Description": "a build between two of its steps"},
            account=_account(at),
        )

    def held(self, layer: Path) -> Iterable[Step[Any]]:
        """The image."""
        return (_read(layer).step,)

    def restore(self, run: Run, layer: Path) -> Machine:
        """See :class:`packerpy.contracts.Checkpoints`: a new instance of the image, with a new key."""
        saved = _read(layer)
        at = self.at(run)
        _there(at, saved.image)
        spec = attrs.evolve(self.spec, source_ami=saved.image, disks=(), encrypt=False, kms_key=None)
        run.say(f"launching {saved.image}, the machine as it was saved")
        try:
            machine = launch.launch(at, spec)
        except SourceError as error:  # it is not the layer's fault
            raise NotStarted(error) from error
        own = {name: machine.facts[name] for name in _OWN}
        return attrs.evolve(machine, facts={**saved.facts, **own})

    def revive(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Checkpoints`: it was booted, so it has all that a machine needs."""


def _account(at: Cloud) -> str:
    return str(at.call("sts.GetCallerIdentity")["Account"])


def _read(layer: Path) -> Record:
    try:
        record = _converter.loads((layer / _NAME).read_text(), Record)
    except Exception as error:  # whatever the content may be, it is none of ours
        raise LayerLost(f"{layer / _NAME} cannot be read", str(error)) from error
    if record.version != _VERSION:
        raise LayerLost(f"it is of version {record.version}", f"known here is {_VERSION}")
    return record


def _there(at: Cloud, image: str) -> None:
    """Whether the image can be launched.

    :raises LayerLost: somebody has removed it.
    :raises NotStarted: Amazon does not say.
    """
    try:
        state = _state(at, image)[0]
    except AmazonError as error:
        raise NotStarted(error) from error
    if state != "available":
        raise LayerLost(f"its image {image} is {state} in {at.region}", "somebody has removed it at Amazon")


def _state(at: Cloud, image: str) -> tuple[str, str]:
    """An image's state, and Amazon's reason for it."""
    try:
        found: list[Mapping[str, Any]] = at.call("ec2.DescribeImages", ImageIds=[image])["Images"]
    except NotFound:
        found = []
    if not found:
        return "not there", ""
    return str(found[0]["State"]), str((found[0].get("StateReason") or {}).get("Message", ""))


def _available(at: Cloud, image: str, cancellation: Cancellation) -> None:
    """Wait until an image can be launched, beside a machine that goes on."""
    what, waited, seconds = f"image {image} in {at.region}", 0.0, _PAUSE[0]
    while (seen := _state(at, image))[0] != "available":
        if seen[0] not in ("pending", "not there"):
            raise NotBecome(what, "available", *seen)
        if waited >= at.access.wait_timeout:
            raise NotBecomeInTime(what, "available", seen[0], at.access.wait_timeout)
        pause(cancellation, seconds)
        waited += seconds
        seconds = min(seconds * 1.5, _PAUSE[1])
