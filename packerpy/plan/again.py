"""What is done again although its result is there: ``--no-cache``, ``--from``, ``--only-post``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import attrs

from packerpy.errors import PlanError
from packerpy.plan.drafts import Draft
from packerpy.plan.tasks import TaskKind


def _globs(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class Again:
    """What the user wants done again, of the builds that were asked for (not of what these stand on).

    :ivar everything: all of it.
    :ivar from_: globs; the first task of a build that one of them fits, by id (``web/step-2``), place (``step-2``) or
        title, and all after it.
    :ivar post: the post-processors; nothing else is done.
    """

    everything: bool = False
    from_: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    post: bool = False

    def first(self, build: str, drafts: Sequence[Draft]) -> int:
        """The number of the first task that is done again; the number of tasks when none is."""
        if self.everything:
            return 0
        for number, draft in enumerate(drafts):
            if (self.post and draft.kind is TaskKind.POST) or any(_fits(build, draft, glob) for glob in self.from_):
                return number
        return len(drafts)

    def check(self, builds: Iterable[tuple[str, Sequence[Draft]]]) -> None:
        """Whether every glob fits something.

        :raises PlanError: one does not.
        """
        if not self.from_:
            return
        tasks = [(build, draft) for build, drafts in builds for draft in drafts]
        for glob in self.from_:
            if not any(_fits(build, draft, glob) for build, draft in tasks):
                known = "\n".join(f"{build}/{draft.what}  {draft.title}" for build, draft in tasks)
                raise PlanError(
                    f"no task is called {glob!r}", details=f"tasks:\n{known}", resolution="name one of them, or use a *"
                )


def _fits(build: str, draft: Draft, glob: str) -> bool:
    return any(fnmatchcase(name, glob) for name in (f"{build}/{draft.what}", draft.what, draft.title))
