"""Device nodes: which one a volume came as, and where its partitions are."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from packerpy.backends.amazon.errors import NoDevice, NoFreeDevice, NoPartition
from packerpy.contracts import Run
from packerpy.errors import SourceError
from packerpy.kit import process

_PATIENCE = 60.0
"""Seconds that the kernel may take to show a volume that Amazon says is attached."""

_NAMES = tuple(f"/dev/sd{letter}" for letter in string.ascii_lowercase[5:16])
"""Amazon's recommendation for volumes that are attached: sdf to sdp."""


@attrs.frozen(kw_only=True)
class Place:
    """What is mounted.

    :ivar device: the node.
    :ivar options: of mount.
    """

    device: Path
    options: tuple[str, ...] = ()


def free_name(taken: Iterable[str]) -> str:
    """A name under which a volume can be attached.

    :param taken: names of volumes that are attached.
    :raises NoFreeDevice: there is none.
    """
    used = {name.replace("/dev/xvd", "/dev/sd") for name in taken}
    for name in _NAMES:
        if name not in used and not any(Path(one).exists() for one in _spellings(name)):
            return name
    raise NoFreeDevice(_NAMES[0], _NAMES[-1])


def appeared(run: Run, volume: str, name: str) -> Path:
    """Wait until the kernel has a node for a volume; it tells nobody, so it is looked for twice a second.

    :raises NoDevice: it did not come.
    """
    waited = 0.0
    while (found := node_of(volume, name)) is None:
        if waited >= _PATIENCE:
            raise NoDevice(volume, name, _PATIENCE)
        run.wait(0.5)
        waited += 0.5
    return found


def node_of(volume: str, name: str, *, disks: Path = Path("/sys/block"), nodes: Path = Path("/dev")) -> Path | None:
    """The node that a volume came as: NVMe disks tell the volume's id as their serial number, others have its name.

    :param disks: where the kernel tells of its disks.
    :param nodes: where their nodes are.
    """
    wanted = volume.replace("-", "")
    for disk in disks.glob("nvme*"):
        try:
            serial = (disk / "device" / "serial").read_text().strip()
        except OSError:
            continue
        if serial.replace("-", "") == wanted:
            return nodes / disk.name
    named = (nodes / Path(one).name for one in _spellings(name))
    return next((path for path in named if path.is_block_device()), None)


def _spellings(name: str) -> tuple[str, str]:
    return name, name.replace("/dev/sd", "/dev/xvd")


def place_of(run: Run, device: Path, partition: int) -> Place:
    """Where a partition is; 0 is the whole device.

    The kernel has no nodes for the partitions of some devices, and makes them late for others; then the partition table
    tells where it begins, and a loop device is put there.

    :raises NoPartition: the table has no such partition.
    """
    if partition == 0:
        return Place(device=device)
    glue = "p" if device.name[-1].isdigit() else ""
    node = device.with_name(f"{device.name}{glue}{partition}")
    if node.is_block_device():
        return Place(device=node)
    table = _table(run, device)
    if partition not in table:
        raise NoPartition(device, partition, table)
    start, size = table[partition]
    return Place(device=device, options=("loop", f"offset={start}", f"sizelimit={size}"))


def _table(run: Run, device: Path) -> Mapping[int, tuple[int, int]]:
    """Number → first byte and size of each partition."""
    sfdisk = process.find_tool("sfdisk", package="fdisk", needed_for="reading partition tables")
    try:
        text = process.call([sfdisk, "--json", device], cancellation=run.cancellation, error=SourceError).text
    except SourceError:
        return {}  # no table at all
    table = json.loads(text)["partitiontable"]
    unit = int(table.get("sectorsize", 512))
    found = {}
    for one in table.get("partitions", ()):
        number = re.search(r"(\d+)$", one["node"])
        if number is not None:
            found[int(number[1])] = (int(one["start"]) * unit, int(one["size"]) * unit)
    return found
