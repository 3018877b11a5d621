"""Whether artifacts that their platforms keep are still there, before they are re-used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packerpy.contracts import LooksForArtifacts
from packerpy.execute.reading import Look
from packerpy.plan import Plan, PlannedBuild, Task, TaskKind
from packerpy.plan.known import Known
from packerpy.values import Artifact


def missing(planned: Plan, known: Known, look: Look) -> Mapping[str, str]:
    """Keys under which a plan re-uses an artifact that is there no more → what of it, for people.

    :param look: makes runs that ask the platforms.
    :raises SourceError: one does not tell.
    """
    found: dict[str, str] = {}
    for build in planned.builds.values():
        makers = [task for task in build.of(TaskKind.CAPTURE, TaskKind.POST) if task.action == "reuse"]
        elsewhere = _elsewhere(build, makers, known)
        if not elsewhere:
            continue
        loaded = (build.source.load(), *(task.spec.load() for task in makers if task.kind is TaskKind.POST))
        asked = [worker for worker in loaded if isinstance(worker, LooksForArtifacts)]
        told = _told(asked, build.name, dict.fromkeys(a for kept in elsewhere.values() for a in kept), look)
        for key, kept in elsewhere.items():
            what = ", ".join(told[artifact] for artifact in kept if told[artifact])
            if what:
                found |= dict.fromkeys(filter(None, (key, build.delivery.key)), what)
    return found


def _elsewhere(build: PlannedBuild, makers: Sequence[Task], known: Known) -> Mapping[str, Sequence[Artifact]]:
    """Key → artifacts without files that are to be re-used under it."""
    kept = {task.key or "": known.results.get(task.key or "", ()) for task in makers}
    kept[build.delivery.key or ""] = build.artifacts or ()
    remote = {key: [artifact for artifact in artifacts if not artifact.files] for key, artifacts in kept.items()}
    return {key: artifacts for key, artifacts in remote.items() if artifacts}


def _told(
    asked: Sequence[LooksForArtifacts], build: str, artifacts: Mapping[Artifact, None], look: Look
) -> Mapping[Artifact, str]:
    """What is gone of each; empty texts for all that is there."""
    if not asked:
        return dict.fromkeys(artifacts, "")
    run = look(build)
    try:
        return {a: next(filter(None, (worker.gone(run, a) for worker in asked)), "") for a in artifacts}
    finally:
        run.close(failed=True)
