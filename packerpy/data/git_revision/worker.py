"""Asks git."""

from __future__ import annotations

import os

import attrs

from packerpy.contracts import DataSource, Run
from packerpy.data.git_revision.specs import GitRevision
from packerpy.errors import DataError
from packerpy.kit.process import call, find_tool

_PATIENCE = 60.0
"""Seconds for one question, with room for the state of a large checkout on a slow disk."""


@attrs.frozen
class Worker(DataSource):
    """Carries out a :class:`GitRevision`."""

    spec: GitRevision

    def read(self, run: Run) -> object:
        """See :class:`packerpy.contracts.DataSource`."""
        commit, short, time, timestamp = self._ask(run, "log", "-1", "--format=%H%n%h%n%cI%n%ct").splitlines()
        return {
            "commit": commit,
            "short": short,
            "branch": self._ask(run, "branch", "--show-current"),
            "tag": self._ask(run, "tag", "--points-at", "HEAD", "--sort=-version:refname").partition("\n")[0],
            "describe": self._ask(run, "describe", "--tags", "--always"),
            "dirty": bool(self._ask(run, "status", "--porcelain")),
            "time": time,
            "timestamp": int(timestamp),
        }

    def _ask(self, run: Run, *arguments: str) -> str:
        """Its answer; without locks of its own, so that a user's git beside us is not disturbed."""
        git = find_tool("git", package="git", needed_for="reading the revision of a checkout")
        return call(
            [git, "-C", self.spec.path, *arguments],
            cancellation=run.cancellation,
            timeout=_PATIENCE,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"},
            error=DataError,
            label=f"git {arguments[0]} in {self.spec.path}",
        ).text
