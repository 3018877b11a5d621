"""The steps of an image that run on its machine when its build has failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from packerpy.errors import CancelledError
from packerpy.execute.perform import Performer
from packerpy.execute.ready import ready
from packerpy.execute.run import LiveRun
from packerpy.plan import PlannedBuild
from packerpy.registry import steps_of


@contextmanager
def cleaned_up(performer: Performer, run: LiveRun, planned: PlannedBuild) -> Iterator[None]:
    """Within it, a failure after the machine was reached is followed by the image's ``error_cleanup`` steps.

    They run after the user was asked, over a channel of their own, and are not cancelled together with the build. What
    goes wrong in them is told in the notes of the error that came first.
    """
    try:
        yield
    except CancelledError:
        raise
    except Exception as error:
        if run.machine is not None and planned.image.error_cleanup and performer.cleans_up(planned.name):
            _clean_up(performer, run, planned, error)
        raise


def _clean_up(performer: Performer, run: LiveRun, planned: PlannedBuild, error: Exception) -> None:
    name = f"{planned.name}/error-cleanup"
    with run.shielded():
        try:
            performer.aside(run, name, "clean up after the error", lambda: _apply(run, planned))
        except Exception as second:  # noqa: BLE001  the first error matters more
            error.add_note(f"the steps of error_cleanup failed, too: {second}")


def _apply(run: LiveRun, planned: PlannedBuild) -> None:
    if run.reach is None or run.machine is None:
        return
    names = (planned.name, planned.image.name, planned.source.kind, getattr(planned.source, "name", ""))
    channel = run.reach()
    try:
        for spec in steps_of(planned.image.error_cleanup, filter(None, names)):
            ready(run, spec, run.machine).load().apply(run, run.machine, channel)
    finally:
        channel.close()
