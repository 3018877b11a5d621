"""``packerpy clean``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from packerpy.cli.text import clean as printable
from packerpy.execute.clean import clean as clean_up


def clean(*, dry_run: Annotated[bool, Parameter(negative=(), help="Only tell what there is.")] = False) -> int:
    """Remove what builds left behind that died: processes, folders, mounts. What a live build holds is not touched."""
    leftovers = clean_up(dry_run=dry_run)
    for leftover in leftovers:
        state = (
            f"cannot be removed: {leftover.error}" if leftover.error else "would be removed" if dry_run else "removed"
        )
        print(printable(f"{leftover.build}: {leftover.title}: {state}"))  # noqa: T201
    if not leftovers:
        print("nothing was left behind")  # noqa: T201
    return 1 if any(leftover.error for leftover in leftovers) else 0
