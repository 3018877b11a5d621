"""What need not be done twice: builds after an edit, without one, and builds that share their first steps."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import packerpy as pp
from benchmarks.guest import Guest
from benchmarks.rounds import Case
from packerpy import events

_STEPS = [f"echo {number} | tee -a /etc/benchmark" for number in range(5)]


def _edited() -> Callable[[], list[str]]:
    """Answers the five steps with another last one each time."""
    edits = count()
    return lambda: [*_STEPS[:-1], f"echo edit {next(edits)} | tee -a /etc/benchmark"]


def edit(folder: Path, *, shutdown: str = "normal") -> Case:
    """Rebuild after editing the last of five provisioners; packer knows only the whole build."""
    guest = Guest.make(folder)
    edited = _edited()

    def build(steps: Sequence[str]) -> None:
        begun: list[float] = []

        def listener(event: events.Event) -> None:
            if isinstance(event, events.TaskOutput) and event.task == "web/step-5":
                begun.append(time.perf_counter())

        start = time.perf_counter()
        guest.build(guest.image("web", *steps, shutdown=shutdown), listeners=[listener])
        if begun:
            print(f"  the edited step spoke after {begun[0] - start:.2f} s", flush=True)

    build(_STEPS)
    fast = ", fast shutdown" if shutdown == "fast" else ""
    return Case(
        name=f"rebuild after editing the last of five provisioners{fast}",
        packerpy=lambda: build(edited()),
        packer=lambda: guest.packer_build({"web": _STEPS}),
        goal=0.25,
    )


def edit_fast(folder: Path) -> Case:
    """The same with the file systems made read-only in place of a shutdown of each service."""
    return edit(folder, shutdown="fast")


def unchanged(folder: Path) -> Case:
    """Rebuild with nothing changed, by a command of its own."""
    guest = Guest.make(folder)
    lines = "".join(f"        pp.Shell({line!r}),\n" for line in _STEPS)
    file = folder / "images.py"
    file.write_text(
        "import packerpy as pp\n\n"
        "web = pp.Image(\n    'web',\n"
        f"    pp.Qemu(disk={str(guest.disk)!r}, memory='512 MiB', communicator=pp.GuestAgent(), accelerator='tcg'),\n"
        f"    provision=[\n{lines}    ],\n)\n"
    )
    command = [Path(sys.executable).with_name("packerpy"), "build", file]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Case(
        name="rebuild with nothing changed",
        packerpy=lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL) and None,
        packer=lambda: guest.packer_build({"web": _STEPS}),
        goal=0.02,
    )


def booted(folder: Path) -> Case:
    """A new image on a base that was booted before."""
    guest = Guest.make(folder)
    names = (f"new{number}" for number in count())
    guest.build(guest.image("first"))

    def with_packerpy() -> None:
        name = next(names)
        guest.build(guest.image(name, f"echo {name} > /etc/benchmark"))

    return Case(
        name="a new image on a base that was booted before",
        packerpy=with_packerpy,
        packer=lambda: guest.packer_build({"new": ["echo new > /etc/benchmark"]}),
        goal=0.35,
    )


def eight(folder: Path) -> Case:
    """Eight images that share all but the last step, from nothing, against eight of packer's in parallel."""
    guest = Guest.make(folder)
    steps = {f"member{number}": [*_STEPS[:-1], f"echo member {number} | tee -a /etc/benchmark"] for number in range(8)}

    def images() -> list[pp.Image]:
        return [guest.image(name, *lines) for name, lines in steps.items()]

    def with_packerpy() -> None:
        guest.forget()
        guest.build(*images())

    return Case(
        name="eight images sharing all but the last step",
        packerpy=with_packerpy,
        packer=lambda: guest.packer_build(dict(steps)),
        goal=0.25,
    )
