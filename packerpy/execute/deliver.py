"""The last task of a build: what is kept becomes visible, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

from packerpy.artifacts.record import Delivery, Record, stamp
from packerpy.artifacts.results import Result, moved
from packerpy.errors import OutputError
from packerpy.execute.finished import Finished
from packerpy.execute.output_folder import keep_only, publish
from packerpy.execute.run import LiveRun
from packerpy.execute.scope import Scope
from packerpy.plan import PlannedBuild
from packerpy.values import Artifact


def lasts(planned: PlannedBuild) -> bool:
    """Whether a build's results stay in its staging folder until the run ends, and go then."""
    return planned.image.keep == "no" or (planned.image.keep == "cache" and planned.delivery.key is None)


def deliver(run: LiveRun, scope: Scope, record: Record, finished: Finished, pins: ExitStack) -> tuple[Artifact, ...]:
    """Put the kept artifacts where the image says that they stay.

    :param pins: keeps them there, when that is the cache.
    :raises OutputError: it cannot be done, or two artifacts want the same file.
    """
    kept = tuple(dict.fromkeys(_kept(scope)))
    staging, folder = scope.staging, scope.folder
    missing = [path for artifact in kept for path in artifact.files if not path.exists()]
    if missing:
        raise OutputError("a file of an artifact is not there", details="\n".join(map(str, missing)))
    if lasts(scope.planned):
        return kept
    if scope.planned.image.keep == "cache":
        finished.keep(run, scope.planned.delivery, Result(artifacts=kept))
        return finished.pinned(scope.planned.delivery, pins) or kept
    keep_only(staging, kept)
    artifacts = tuple(moved(artifact, staging, folder) for artifact in kept)
    record.forget(folder)
    key = scope.planned.delivery.key
    if key is not None:
        identity = {
            str(new): stamp(old)
            for before, after in zip(kept, artifacts, strict=True)
            for old, new in zip(before.files, after.files, strict=True)
        }
        delivery = Delivery(folder=folder, key=key, artifacts=artifacts)
        record.save(scope.planned.name, delivery, identity)
    publish(staging, folder)
    return artifacts


def _kept(scope: Scope) -> Iterator[Artifact]:
    """The source's own artifact, if any chain wants it kept or another image stands on it; then each chain's."""
    first_links = [links[0] for links in scope.chains.values() if links]
    if scope.captured is not None and (
        not first_links or scope.planned.referred or any(link.keep_input for link in first_links)
    ):
        yield scope.captured
    for row in sorted(scope.chains):
        links = scope.chains[row]
        for before, after in pairwise(links):
            if after.keep_input:
                yield before.artifact
        if links:
            yield links[-1].artifact
