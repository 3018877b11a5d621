"""What all steps share."""

from __future__ import annotations

import attrs

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.api import Cloud, cloud
from packerpy.contracts import Run


@attrs.frozen(kw_only=True)
class Thing:
    """One thing in one region.

    :ivar access: how Amazon is reached; no secret stands in it, only where it can be read.
    :ivar region: where the thing is.
    :ivar token: the mark by which it is found.
    :ivar tags: on it, next to our own.
    """

    access: Access
    region: str
    token: str
    tags: dict[str, str] = attrs.field(factory=dict)

    def at(self, run: Run) -> Cloud:
        """Amazon in its region."""
        return cloud(run, self.access, self.region)
