"""Which checkout, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import attrs

from packerpy.contracts import DataSource, DescribesTools
from packerpy.declare import Data
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.declare.fields import host_path
from packerpy.values import HostTool, Problem, Support


@declaration
class GitRevision(Data, DescribesTools):
    """Where a git checkout stands: ``GitRevision()["commit"]``.

    It reads ``commit`` (40 or 64 hex digits), ``short``, ``branch`` (empty when none is checked out), ``tag`` (of this
    very commit; empty without one), ``describe`` (the nearest tag and the distance from it, else the short commit),
    ``dirty`` (whether files under version control were changed, or there are new ones), ``time`` (of the commit, ISO
    8601) and ``timestamp`` (likewise, in seconds since 1970).

    :param path: a folder in the checkout.
    """

    kind: ClassVar[str] = "git_revision"
    support: ClassVar[tuple[Support, ...]] = (Support("`GitRevision`", "git 2.39", "run"),)

    path: Path = attrs.field(default=Path(), converter=host_path)
    name: str = attrs.field(default="", kw_only=True, metadata=FROM_CALLER)

    @property
    def title(self) -> str:
        """The folder."""
        return f"read the git revision of {self.path}"

    def tools(self) -> Iterable[HostTool]:
        """Git."""
        yield HostTool(name="git", package="git", needed_for="reading the revision of a checkout")

    def check(self) -> Iterable[Problem]:
        """The folder is there."""
        if not self.path.is_dir():
            yield Problem(where="path", what="there is no such folder", seen=str(self.path))

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.data.git_revision.worker import Worker

        return Worker(self)
