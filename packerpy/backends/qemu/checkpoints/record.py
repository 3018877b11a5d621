"""What a layer says of itself: ``layer.json``, written last, so that a layer without it is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs
from cattrs.preconf.json import make_converter

from packerpy.backends.qemu.checkpoints.ram import Ram
from packerpy.backends.qemu.errors import LayerDamaged
from packerpy.kit import publish

NAME = "layer.json"
RAM = "ram"
STATE = "state"
KEY = "id_ed25519"
SEED = "seed.iso"
VARIABLES = "variables.fd"

VERSION = 3
"""Of this description; part of the fingerprint, so that layers of another one are not asked for."""

_converter = make_converter()


@attrs.frozen(kw_only=True)
class Stored:
    """A file of the layer.

    :ivar size: bytes.
    :ivar crc: of its content.
    """

    name: str
    size: int
    crc: int


@attrs.frozen(kw_only=True)
class Base:
    """A file outside of all layers that a disk stands on.

    :ivar path: absolute.
    :ivar changed: its time of change in ns.
    """

    path: str
    format: str
    size: int
    changed: int


@attrs.frozen(kw_only=True)
class Overlay:
    """A file of a disk. It may be large and is read bit by bit, so only its size is looked at.

    :ivar size: bytes.
    """

    name: str
    size: int


@attrs.frozen(kw_only=True)
class Chain:
    """A saved disk.

    :ivar files: its overlays in the layer, the top first.
    :ivar base: what the last of these stands on.
    """

    files: tuple[Overlay, ...]
    base: Base | None


@attrs.frozen(kw_only=True)
class Record:
    """What was saved.

    :ivar fingerprint: under which it is good.
    :ivar accelerator: what it ran with.
    :ivar ram: the map of its memory; ``None`` when only its disks were saved.
    :ivar files: all other files but the disks.
    :ivar disks: the boot disk first.
    :ivar user: who logs in.
    :ivar host_keys: by which the guest is known.
    :ivar facts: of the machine.
    :ivar channel: what the channel into it had found out.
    """

    fingerprint: str
    accelerator: str
    ram: Ram | None
    files: tuple[Stored, ...]
    disks: tuple[Chain, ...]
    user: str
    host_keys: tuple[str, ...]
    facts: Mapping[str, str]
    channel: Mapping[str, str]
    version: int = VERSION

    def has(self, name: str) -> bool:
        """Whether a file of that name belongs to the layer."""
        return any(file.name == name for file in self.files)


def write(layer: Path, record: Record) -> None:
    """Make the layer a layer."""
    target = layer / NAME
    plain = attrs.evolve(record, facts=dict(record.facts), channel=dict(record.channel))
    publish.write_text(target, _converter.dumps(plain))
    target.chmod(0o600)


def read(layer: Path) -> Record:
    """What a layer says, after a look at the sizes of its files and at what they stand on.

    :raises LayerDamaged: it is not whole.
    """
    try:
        record = _converter.loads((layer / NAME).read_text(), Record)
    except FileNotFoundError:
        raise LayerDamaged(layer, f"there is no {NAME} in it") from None
    except Exception as error:  # whatever the content may be, it is none of ours
        raise LayerDamaged(layer, f"{NAME} cannot be read: {error}") from error
    if record.version != VERSION:
        raise LayerDamaged(layer, f"it is of version {record.version}; known here is {VERSION}")
    sizes = {file.name: file.size for file in record.files}
    sizes |= {RAM: record.ram.size} if record.ram is not None else {}
    sizes |= {file.name: file.size for disk in record.disks for file in disk.files}
    for name, size in sizes.items():
        seen = _look(layer / name)
        if seen is None or seen.st_size != size:
            what = "is missing" if seen is None else f"has {seen.st_size} bytes in place of {size}"
            raise LayerDamaged(layer, f"{name} {what}")
    for base in filter(None, (disk.base for disk in record.disks)):
        seen = _look(Path(base.path))
        if seen is None or (seen.st_size, seen.st_mtime_ns) != (base.size, base.changed):
            raise LayerDamaged(layer, f"the disk {base.path}, on which it stands, is missing or has changed")
    return record


def verify(layer: Path, file: Stored) -> None:
    """Compare a file's content with what was saved.

    :raises LayerDamaged: they differ.
    """
    if crc(layer / file.name) != file.crc:
        raise LayerDamaged(layer, f"the content of {file.name} has changed")


def crc(path: Path) -> int:
    """Of a whole file."""
    from isal import isal_zlib

    value = 0
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            value = isal_zlib.crc32(data, value)
    return value


def stored(path: Path) -> Stored:
    """The entry for a file that is there."""
    return Stored(name=path.name, size=path.stat().st_size, crc=crc(path))


def sync(path: Path) -> None:
    """Wait until the disk has a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
