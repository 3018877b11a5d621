"""The disks of a saved machine: overlays that are never written again, each layer with its whole chain of them.

A layer does not refer to other layers: it holds further names (hard links) of their overlays, so that each can be
removed without asking the others. Overlays refer to each other by names without a folder. Only the image that the
machine was booted from is referred to by its path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.qemu import images
from packerpy.backends.qemu.argv import DiskFile, nodes
from packerpy.backends.qemu.checkpoints import record
from packerpy.backends.qemu.checkpoints.record import Base, Chain, Overlay
from packerpy.backends.qemu.guest import Disk, Guest
from packerpy.backends.qemu.start import Acquiring, overlay_path
from packerpy.backends.qemu.steps.overlay import CreateOverlay
from packerpy.contracts import Run

LONGEST = 12
"""Overlays in a layer's chain; a longer one is copied into one, as each costs the guest's first reads a look more."""


def prepare(run: Run, guest: Guest) -> tuple[Disk, ...]:
    """New overlays, one on top of each disk of a running machine; it does not use them yet."""
    return tuple(_grown(run, guest, number, disk) for number, disk in enumerate(guest.disks))


def _grown(run: Run, guest: Guest, number: int, disk: Disk) -> Disk:
    path = overlay_path(guest.folder, number)
    run.do(CreateOverlay(path=path, backing=disk.overlays[0], size=_size(guest, disk.node)))
    return attrs.evolve(disk, overlays=(path, *disk.overlays), node=path.stem)


def _size(guest: Guest, node: str) -> int:
    listed: Any = guest.qmp.execute("query-named-block-nodes", flat=True)
    return next(int(seen["image"]["virtual-size"]) for seen in listed if seen["node-name"] == node)


def switch(guest: Guest, grown: Sequence[Disk]) -> tuple[Disk, ...]:
    """Let a machine that stands still write to the new overlays; answers the disks that stay as they are."""
    for disk in grown:
        file, top = nodes(disk.node, disk.overlays[0], "qcow2", writable=True)
        guest.qmp.execute("blockdev-add", **file)
        guest.qmp.execute("blockdev-add", **top, backing=None)
    frozen = guest.disks
    actions = [
        {"type": "blockdev-snapshot", "data": {"node": old.node, "overlay": new.node}}
        for old, new in zip(frozen, grown, strict=True)
    ]
    guest.qmp.execute("transaction", actions=actions)
    guest.disks = tuple(grown)
    return frozen


def keep(run: Run, disk: Disk, layer: Path, number: int) -> Chain:
    """Give the overlays of a disk, to which nobody writes, names in the layer, and write them out.

    :raises packerpy.errors.OutputError: the file system is full.
    """
    kept = disk.overlays
    if len(kept) > LONGEST:
        kept = (overlay_path(layer, number),)
        backing, form = (disk.base.path, disk.base.format) if disk.base else (None, "")
        images.consolidate(run, disk.overlays[0], kept[0], backing=backing, form=form)
    else:
        for overlay in kept:
            _place(run, overlay, layer / overlay.name)
    for overlay in kept:
        target = layer / overlay.name
        target.chmod(0o600)
        record.sync(target)
    files = tuple(Overlay(name=path.name, size=(layer / path.name).stat().st_size) for path in kept)
    return Chain(files=files, base=_base(disk.base))


def on_layer(taker: Acquiring, layer: Path, chain: Chain, folder: Path, number: int) -> Disk:
    """A new overlay in ``folder`` on a disk of a layer."""
    frozen = tuple(folder / file.name for file in chain.files)
    for path in frozen:
        try:
            os.link(layer / path.name, path)
        except OSError:  # another file system
            path.symlink_to(layer / path.name)
    overlay = taker.do(CreateOverlay(path=overlay_path(folder, number), backing=frozen[0]))
    base = DiskFile(path=Path(chain.base.path), format=chain.base.format, writable=False) if chain.base else None
    return Disk(overlays=(overlay, *frozen), base=base, node=f"disk{number}")


def _place(run: Run, source: Path, target: Path) -> None:
    """Another name for a file; a copy where that is on another file system."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        images.copy(run, source, target)


def _base(file: DiskFile | None) -> Base | None:
    if file is None:
        return None
    seen = file.path.stat()
    return Base(path=str(file.path.resolve()), format=file.format, size=seen.st_size, changed=seen.st_mtime_ns)
