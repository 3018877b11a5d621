"""Layers that hold things on platforms: handed over by the run that made them, and removed with the layer."""

from __future__ import annotations

import time
from pathlib import Path

from packerpy.artifacts import elsewhere
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.layers import LayerStore
from packerpy.contracts import SavesElsewhere
from packerpy.execute.leftover import Leftover
from packerpy.execute.looking import looking_run
from packerpy.execute.run import LiveRun


def publish(run: LiveRun, store: LayerStore, source: object, layer: Path, key: str, title: str, *, again: bool) -> None:
    """Make a complete layer one of the store; what it holds elsewhere is the layer's from then on, not the run's.

    :param again: it takes the place of one that is there.
    """
    held = tuple(source.held(layer)) if isinstance(source, SavesElsewhere) else ()
    if isinstance(source, SavesElsewhere):
        elsewhere.note(layer, key, title, source.max_age, held)
    if store.publish(layer, key, title, replace=again):
        for step in held:
            run.hand_over(step)


def drop_old(store: LayerStore) -> None:
    """Drop layers with things elsewhere that nobody used for too long."""
    now = time.time()
    for layer in store.list():
        told = elsewhere.of_layer(store.path(layer.key))
        if told is not None and now - layer.used > told.max_age:
            store.drop_unused(layer.key)


def remove_dropped(store: LayerStore, journal: Journal, cache: Path, *, dry_run: bool = False) -> tuple[Leftover, ...]:
    """Remove what dropped layers held elsewhere; what cannot be removed stays noted for the next time."""
    found: list[Leftover] = []
    run = looking_run("none", "layers", journal, cache)
    for note, told in elsewhere.dropped(store.folder):
        leftover = Leftover(run="", build=f"layer {told.key[:8]}", title=told.title)
        removed = [leftover.removed(step, run, dry_run=dry_run) for step in told.steps()]
        left = [one for one in removed if one is not None]
        found += left
        if not dry_run and not any(one.error for one in left):
            note.unlink(missing_ok=True)
    return tuple(found)
