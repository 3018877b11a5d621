"""What finished tasks left, kept by key, so that a later build need not do them again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from packerpy.artifacts.results import Result, ResultStore
from packerpy.errors import BuildError, OutputError
from packerpy.execute.run import LiveRun
from packerpy.kit.folder import Folder
from packerpy.kit.publish import full_disk_named
from packerpy.plan import Task
from packerpy.values import Artifact


class Outdated(Exception):
    """Something that the plan wants to re-use has gone meanwhile: plan again."""


class Finished:
    """Keeps and gets results, for one engine.

    :param store: where.
    """

    def __init__(self, store: ResultStore) -> None:
        self._store = store

    def keep(self, run: LiveRun, task: Task, result: Result) -> None:
        """Store what a task left; a full disk costs only that."""
        if task.key is None:
            return
        growing = Folder(self._store.entries.partial(task.key, run.id), "result being stored")
        try:
            partial = run.do(growing)
            with full_disk_named(partial):
                self._store.write(partial, result, run.staging)
                self._store.entries.publish(partial, task.key, task.title, replace=task.again)
        except OutputError as error:
            run.say(f"its result is not stored for other builds: {error.brief}")
        run.release(growing)

    def get(self, run: LiveRun, task: Task) -> Result:
        """What a task left in an earlier build, with its files in the staging folder."""
        result = self._store.fetch(task.key or "", run.staging)
        if result is None:
            raise BuildError(
                f"what {task.id} left in an earlier build has gone from the cache meanwhile",
                resolution="build again; it will be made anew",
            )
        return result

    def pin(self, tasks: Iterable[Task], stack: ExitStack) -> None:
        """Nobody drops the results of some tasks until ``stack`` is closed.

        :raises Outdated: one is gone already.
        """
        for task in tasks:
            if self.pinned(task, stack) is None:
                raise Outdated(task.id)

    def pinned(self, task: Task, stack: ExitStack) -> tuple[Artifact, ...] | None:
        """The artifacts of a stored result, where they are in the store; they stay there until ``stack`` is closed."""
        result = stack.enter_context(self._store.used(task.key)) if task.key is not None else None
        return result.artifacts if result is not None else None
