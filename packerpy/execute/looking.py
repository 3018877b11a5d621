"""A run to look around with; it acquires nothing."""

from __future__ import annotations

from pathlib import Path

from packerpy.artifacts.folders import scratch_folder
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.secrets import read_secret
from packerpy.errors import PlanError
from packerpy.execute.bus import Bus
from packerpy.execute.cancellation import CancelToken
from packerpy.execute.run import LiveRun


def looking_run(
    run_id: str,
    build: str,
    journal: Journal,
    cache: Path,
    part: str = "look",
    *,
    bus: Bus | None = None,
    cancel: CancelToken | None = None,
) -> LiveRun:
    """A run for questions to a platform, or to others, before or after a build; without listeners unless given.

    :param run_id: whose things it looks for.
    :param build: likewise.
    :param part: tells its work folder from those of others at the same time.
    """

    def no_artifact(output: object) -> object:
        raise PlanError(f"{output} is not known here")

    return LiveRun(
        run_id=run_id,
        name=build,
        workdir=scratch_folder() / f"packerpy-{run_id}-{part}",
        staging=scratch_folder() / f"packerpy-{run_id}-{part}-staging",
        cache=cache,
        token=cancel or CancelToken(),
        force=CancelToken(),
        bus=bus or Bus(),
        journal=journal,
        reveal=read_secret,
        artifact=no_artifact,
    )
