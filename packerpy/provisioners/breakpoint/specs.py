"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner


@declaration
class Breakpoint(ProvisionerSpec):
    """Stops the build, says how to reach its machine, and waits until you say to go on or to end it.

    Where there is nobody to ask, as on a command line without a terminal, it says so and goes on.

    :param note: what to tell whoever stands before it.
    :param disable: do nothing; for leaving it in a file.
    """

    kind: ClassVar[str] = "breakpoint"
    cache: ClassVar[bool] = False
    """A stop is made each time."""

    support: ClassVar[tuple[Support, ...]] = (Support("`Breakpoint`", "OpenSSH", "run"),)

    note: str = ""
    disable: bool = attrs.field(default=False, kw_only=True)

    @property
    def title(self) -> str:
        """The note."""
        first = (self.note.strip().splitlines() or ["stop here"])[0]
        return f"breakpoint: {first[:70]}"

    def check(self) -> Iterable[Problem]:
        """Nothing can be wrong."""
        return ()

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.breakpoint.worker import BreakpointWorker

        return BreakpointWorker(self)
