"""The volumes of an instance, and snapshots of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from packerpy.backends.amazon import watch
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import NoVolume
from packerpy.backends.amazon.steps.snapshot import CreateSnapshot
from packerpy.contracts import Step


def volumes_of(at: Cloud, instance: str) -> dict[str, str]:
    """Device → volume."""
    found = at.call("ec2.DescribeInstances", InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return {str(one["DeviceName"]): str(one["Ebs"]["VolumeId"]) for one in found.get("BlockDeviceMappings", ())}


def volume_of(attached: Mapping[str, str], device: str, instance: str) -> str:
    """The volume of one device.

    :raises NoVolume: the instance has none.
    """
    if device not in attached:
        raise NoVolume(instance, device, attached)
    return attached[device]


def make(at: Cloud, steps: Mapping[str, CreateSnapshot], hold: Callable[[Step[str]], str]) -> dict[str, str]:
    """Begin all, wait for all; answers device → snapshot.

    :param hold: acquires one: ``run.keep`` or ``run.do``.
    """
    made = {device: hold(step) for device, step in steps.items()}
    for snapshot in made.values():
        watch.snapshot_completed(at, snapshot)
    return made
