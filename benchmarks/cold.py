"""A whole build of a virtual machine: boot, a script, shutdown, a qcow2. The same disk, the same virtual hardware."""

from __future__ import annotations

from pathlib import Path

from benchmarks.guest import Guest
from benchmarks.rounds import Case

_SCRIPT = "echo hello > /etc/benchmark; uname -a"


def case(folder: Path) -> Case:
    """Both ways of building on the base."""
    guest = Guest.make(folder)

    def with_packerpy() -> None:
        guest.forget()
        guest.build(guest.image("web", _SCRIPT))

    return Case(
        name="cold build of a virtual machine",
        packerpy=with_packerpy,
        packer=lambda: guest.packer_build({"web": [_SCRIPT]}),
        goal=0.8,
    )
