"""What the units of one build share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import attrs

from packerpy.execute.output_folder import OutputLock
from packerpy.execute.run import LiveRun
from packerpy.kit.folder import Folder
from packerpy.plan import PlannedBuild
from packerpy.values import Artifact


@attrs.frozen
class Link:
    """One finished post-processor of a chain.

    :ivar keep_input: whether its input is delivered too.
    """

    artifact: Artifact
    keep_input: bool


class Scope:
    """A build from its first unit to its last: the lock, the staging folder and what has been made so far."""

    def __init__(
        self,
        planned: PlannedBuild,
        folder: Path,
        staging: Path,
        new_run: Callable[[str, str, Path], LiveRun],
    ) -> None:
        self.planned, self.folder, self.staging = planned, folder, staging
        self.captured: Artifact | None = None
        self.chains: dict[int, list[Link]] = {}
        self.delivered: tuple[Artifact, ...] | None = None
        self._units_left = 0
        self._new_run = new_run
        self._own: LiveRun | None = None
        self._output: OutputLock | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take the output folder; done by the first unit, before anything is made."""
        with self._lock:
            if self._own is None:
                own = self._new_run(self.planned.name, "scope", self.staging)
                self._own = own
                lock = OutputLock(self.folder)
                own.do(lock)
                self._output = lock
                own.do(Folder(self.staging, "staging folder", 0o777))

    def expect_unit(self) -> None:
        """One more unit belongs to the build; said before any begins."""
        self._units_left += 1

    def run(self, part: str) -> LiveRun:
        """A run for one unit."""
        return self._new_run(self.planned.name, part, self.staging)

    def unit_ended(self, *, undo: bool) -> tuple[str, ...]:
        """One of its units ended; after the last one everything shared is let go. Answers what could not be undone."""
        self._units_left -= 1
        if self._units_left or self._own is None:
            return ()
        if self._output is not None:  # whatever else stays: others may use the folder again
            self._own.release(self._output)
        return self._own.close(failed=self.delivered is None, undo=undo or self.delivered is not None)
