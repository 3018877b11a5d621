"""A real run, without an engine around it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packerpy.artifacts.database import Database
from packerpy.artifacts.journal import Journal
from packerpy.artifacts.secrets import read_secret
from packerpy.declare import Output
from packerpy.errors import PlanError
from packerpy.events import Event, TaskOutput
from packerpy.execute.bus import Bus
from packerpy.execute.cancellation import CancelToken
from packerpy.execute.run import LiveRun
from packerpy.values import Artifact


class TestRun(LiveRun):
    """A :class:`packerpy.contracts.Run` to hand to a plug-in under test; remembers its events.

    :ivar events: everything it told, in order.
    :ivar journal: its journal, to see what is written down.
    """

    __test__ = False  # its name makes pytest think otherwise

    def __init__(self, folder: Path, *, name: str = "test", artifacts: Mapping[Output, Artifact] | None = None) -> None:
        self.events: list[Event] = []
        self.database = Database(folder / "state.db")
        self.journal = Journal(self.database)
        run_id = secrets.token_hex(6)
        self.journal.begin(run_id)
        known = dict(artifacts or {})

        def artifact(output: Output) -> Any:
            if output not in known:
                raise PlanError(f"nothing was built for {output}")
            return known[output]

        super().__init__(
            run_id=run_id,
            name=name,
            workdir=Path(tempfile.gettempdir()) / f"packerpy-test-{run_id}",
            staging=folder / "staging",
            cache=folder / "cache",
            token=CancelToken(),
            force=CancelToken(),
            bus=Bus([self.events.append]),
            journal=self.journal,
            reveal=read_secret,
            artifact=artifact,
        )
        self.cache.mkdir(parents=True, exist_ok=True)

    @property
    def printed(self) -> str:
        """All output of commands so far, one line each."""
        self.flush()
        return "\n".join(event.text for event in self.events if isinstance(event, TaskOutput))


def make_run(folder: Path, *, name: str = "test", artifacts: Mapping[Output, Artifact] | None = None) -> TestRun:
    """A run whose cache, staging folder and journal lie in ``folder``; end it with ``run.close(failed=…)``.

    :param folder: an existing folder, such as pytest's ``tmp_path``.
    :param artifacts: what ``run.artifact`` answers.
    """
    return TestRun(folder, name=name, artifacts=artifacts)
