"""Undoes what runs left behind that died before they could do it themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs

from packerpy.artifacts.database import Database
from packerpy.artifacts.folders import cache_folder
from packerpy.artifacts.journal import Entry, Journal, step_of
from packerpy.artifacts.layers import LayerStore
from packerpy.errors import PluginError
from packerpy.execute.elsewhere import drop_old, remove_dropped
from packerpy.execute.leftover import Leftover
from packerpy.execute.looking import looking_run


def clean(*, dry_run: bool = False, cache: str | Path | None = None) -> tuple[Leftover, ...]:
    """Remove what dead and aborted runs left: processes, folders, mounts, things on platforms; and of dropped layers.

    Things of live runs are not touched. What a build left with ``on_error="abort"`` stays until this is called; what
    runs left that died is removed by the next build, too.

    :param dry_run: only tell what there is.
    :param cache: packerpy's cache folder.
    """
    folder = Path(cache or cache_folder())
    database = Database(folder / "state.db")
    try:
        journal = Journal(database)
        left = sweep(journal, folder, (*journal.dead_runs(), *journal.runs_that_left()), dry_run=dry_run)
        store = LayerStore(folder / "layers")
        if not dry_run:
            drop_old(store)
        return (*left, *remove_dropped(store, journal, folder, dry_run=dry_run))
    finally:
        database.close()


def sweep(
    journal: Journal, cache: Path, runs: Iterable[str], *, dry_run: bool = False, resume: bool = False
) -> tuple[Leftover, ...]:
    """As :func:`clean`, with an open journal, for some runs; entries are undone in reverse order.

    :param resume: let be what a build can go on with (steps whose class says ``resumable = True``).
    """
    found: list[Leftover] = []
    for run_id in runs:
        leftovers = [_undo(entry, journal, cache, dry_run=dry_run, resume=resume) for entry in journal.entries(run_id)]
        found += [leftover for leftover in leftovers if leftover is not None]
        if not dry_run and not any(leftover is not None and leftover.error for leftover in leftovers):
            journal.forget(run_id)
    return tuple(found)


def _undo(entry: Entry, journal: Journal, cache: Path, *, dry_run: bool, resume: bool) -> Leftover | None:
    """Look for one entry's thing and remove it; ``None`` when there is none."""
    if entry.state == "kept":
        return None
    leftover = Leftover(run=entry.run, build=entry.build, title=entry.title)
    if resume and _resumable(entry):
        return attrs.evolve(leftover, error="a build may go on with it; `packerpy clean` removes it")
    run = looking_run(entry.run, entry.build, journal, cache)
    return leftover.removed(lambda: step_of(entry), run, dry_run=dry_run)


def _resumable(entry: Entry) -> bool:
    try:
        return getattr(step_of(entry), "resumable", False)
    except PluginError:
        return False
