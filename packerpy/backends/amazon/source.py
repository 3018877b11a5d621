"""An AMI from an instance that is started, provisioned, stopped and imaged."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import partial
from typing import Any

import attrs

from packerpy.backends.amazon import fast_launch, finish, launch, preflight, watch
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import AmazonError
from packerpy.backends.amazon.gone import LooksAtAmazon
from packerpy.backends.amazon.specs.ebs import EBS
from packerpy.backends.amazon.specs.instance_image import InstanceImage
from packerpy.backends.amazon.specs.machine import MachineOptions
from packerpy.backends.amazon.steps.image import CreateImage
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import Communicator, Run, Source
from packerpy.values import Artifact, Machine, Problem


@attrs.frozen
class InstanceSource:
    """What all sources have that run an instance."""

    spec: MachineOptions

    def preflight(self, run: Run) -> Iterable[Problem]:
        """Credentials (by the first question), region, image, type, network."""
        at = self.at(run)
        wrong = tuple(preflight.regions(at, {"region": [at.region], "regions": self.regions}))
        yield from wrong
        if not wrong:
            yield from preflight.machine(at, self.spec)
            yield from self.names(at)

    @property
    def regions(self) -> tuple[str, ...]:
        """Other regions where something is made."""
        return ()

    def names(self, at: Cloud) -> Iterable[Problem]:
        """Whether names of what is made are free."""
        return ()

    def at(self, run: Run) -> Cloud:
        """Amazon in the declared region."""
        return launch.region_cloud(run, self.spec)

    def boot(self, run: Run) -> Machine:
        """Start it."""
        return launch.launch(self.at(run), self.spec)

    def stop(self, at: Cloud, machine: Machine) -> None:
        """Stop it, or wait until it has stopped itself; a spot instance can do neither and stay."""
        if self.spec.spot:
            return
        if self.spec.stop:
            at.call("ec2.StopInstances", InstanceIds=[machine.id])
        watch.stopped(at, machine.id)

    def modify(self, at: Cloud, machine: Machine, *, ena: bool | None, sriov: bool) -> None:
        """Tell Amazon which network drivers the stopped instance has; its image inherits that."""
        if ena is not None:
            at.call("ec2.ModifyInstanceAttribute", InstanceId=machine.id, EnaSupport={"Value": ena})
        if sriov:
            at.call("ec2.ModifyInstanceAttribute", InstanceId=machine.id, SriovNetSupport={"Value": "simple"})

    def diagnose(self, run: Run, machine: Machine) -> str:
        """The end of its console."""
        try:
            told = self.at(run).call("ec2.GetConsoleOutput", InstanceId=machine.id)
        except AmazonError as error:
            return f"its console cannot be read: {error.brief}"
        text = str(told.get("Output") or "")
        try:
            text = base64.b64decode(text, validate=True).decode(errors="replace")
        except ValueError:
            pass  # the library has decoded it already
        lines = text.splitlines()[-20:]
        return "\n".join(["the end of its console:", *lines]) if lines else "its console shows nothing yet"

    def died(self, run: Run, machine: Machine) -> str | None:
        """Whether it is gone; EC2 is asked at most every few seconds by who waits."""
        try:
            found = self.at(run).call("ec2.DescribeInstances", InstanceIds=[machine.id])
        except AmazonError:
            return None  # a hiccup says nothing of the machine
        instance = found["Reservations"][0]["Instances"][0]
        state = str(instance["State"]["Name"])
        if state in ("pending", "running"):
            return None
        reason = (instance.get("StateReason") or {}).get("Message", "")
        return f"the instance is {state}{': ' if reason else ''}{reason}"


@attrs.frozen
class ImageSource(InstanceSource, LooksAtAmazon):
    """What all sources have that run an instance for an image's sake."""

    spec: InstanceImage

    @property
    def regions(self) -> tuple[str, ...]:
        """Of copies."""
        return self.spec.regions

    def names(self, at: Cloud) -> Iterable[Problem]:
        """The image's, in all regions."""
        return preflight.names(at.run, at, self.spec, (at.region, *self.spec.regions))

    def imaged(self, at: Cloud, machine: Machine, mappings: list[dict[str, Any]]) -> str:
        """An image of the instance and its volumes, waited for.

        :param mappings: disks that are otherwise than the instance has them.
        """
        finish.make_room(at, self.spec)
        request: dict[str, Any] = {"InstanceId": machine.id, "Description": self.spec.description}
        step = CreateImage(
            access=at.access,
            region=at.region,
            token=new_token(),
            tags=dict(self.spec.tags),
            snapshot_tags=dict(self.spec.snapshot_tags),
            name=self.spec.ami_name,
            request={**request, "BlockDeviceMappings": mappings} if mappings else request,
        )
        image = finish.holder(at.run, self.spec)(step)
        watch.image_available(at, image)
        return image


@attrs.frozen
class EBSSource(ImageSource, Source):
    """Carries out an :class:`EBS`."""

    spec: EBS

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Stop, image, copy, share."""
        at = self.at(run)
        channel.close()
        self.stop(at, machine)
        self.modify(at, machine, ena=self.spec.ena_support, sriov=self.spec.sriov_support)
        image = self.imaged(at, machine, [disk.mapping() for disk in self.spec.image_disks])
        images = finish.spread(at, self.spec, image, partial(fast_launch.enable, at, self.spec.fast_launch))
        return finish.artifact(images, {**machine.facts, "name": self.spec.ami_name}, "packerpy.amazon.ebs")

    def names(self, at: Cloud) -> Iterable[Problem]:
        """The image's, and what fast launch needs."""
        yield from super().names(at)
        yield from fast_launch.problems(at, self.spec.fast_launch, str(self.spec.source_ami), self.regions)
