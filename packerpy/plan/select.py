"""``--only`` and ``--except``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from packerpy.errors import PlanError


def select(
    needs: Mapping[str, frozenset[str]], *, only: Iterable[str] = (), except_: Iterable[str] = ()
) -> Mapping[str, str]:
    """The builds to plan, and why: ``""`` for what is wanted, the name of what needs it for what is pulled in.

    :param needs: build → builds it stands on.
    :param only: globs on build names; a build's image name fits too. None means all.
    :param except_: globs of what is not wanted; it still comes along if something wanted stands on it.
    :raises PlanError: a glob fits nothing.
    """
    only, except_ = tuple(only), tuple(except_)
    for glob in (*only, *except_):
        if not any(_fits(name, glob) for name in needs):
            raise PlanError(
                f"no build is called {glob!r}",
                details=f"builds: {', '.join(sorted(needs)) or 'none'}",
                resolution="globs are compared with whole names: try a * at the end",
            )
    chosen = {name: "" for name in needs if not only or any(_fits(name, glob) for glob in only)}
    chosen = {name: "" for name in chosen if not any(_fits(name, glob) for glob in except_)}
    if not chosen and needs:
        raise PlanError("the selection leaves no build", resolution="loosen --only or --except")
    waiting = list(chosen)
    while waiting:
        user = waiting.pop()
        for name in sorted(name for name in needs[user] if name not in chosen):
            chosen[name] = user
            waiting.append(name)
    return {name: chosen[name] for name in needs if name in chosen}


def _fits(name: str, glob: str) -> bool:
    return fnmatchcase(name, glob) or fnmatchcase(name.partition(".")[0], glob)
