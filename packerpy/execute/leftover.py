"""One thing that nobody wants any more, and its removal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class Leftover:
    """One thing that a dead run, or a dropped layer, left.

    :ivar run: the run; empty for a layer's.
    :ivar build: the build that acquired it, or the layer.
    :ivar title: what it is.
    :ivar error: why it could not be removed; empty when it was, or would be.
    """

    run: str
    build: str
    title: str
    error: str = ""

    def removed(self, step: Callable[[], Step[Any]], run: Run, *, dry_run: bool) -> Leftover | None:
        """Look for it and remove it; ``None`` when there is none.

        :param step: reads the step that made it.
        :param dry_run: only look.
        """
        try:
            made = step()
            thing = made.find(run)
            if thing is None:
                return None
            if not dry_run:
                made.undo(run, thing)
        except Exception as error:  # noqa: BLE001  one thing that stays must not keep the others
            return attrs.evolve(self, error=str(error) or type(error).__name__)
        return self
