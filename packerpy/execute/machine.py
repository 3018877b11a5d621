"""A booted machine and the channel to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs

from packerpy.contracts import Communicator, Diagnoses, Source, TellsTheWay
from packerpy.errors import CommunicatorError
from packerpy.execute.ready import ready
from packerpy.execute.run import LiveRun
from packerpy.values import Machine


def connected(run: LiveRun, source: Source, machine: Machine) -> Communicator:
    """Wait until the machine answers.

    :raises CommunicatorError: it does not; with what its console and screen show.
    """
    run.booted = machine
    with explained(run, source, machine):
        died = (lambda: source.died(run, machine)) if isinstance(source, Diagnoses) else None
        channel = machine.communicator.load().connect(run, machine, died=died)
    run.machine = machine
    # What is known of a restored machine lies in its memory until the first channel to it is closed.
    anew = attrs.evolve(machine, endpoint=attrs.evolve(machine.endpoint, known={}))
    run.reach = partial(connected, run, source, anew)
    return channel


def apply_step(run: LiveRun, spec: Any, source: Source, machine: Machine, channel: Communicator) -> None:
    """Do one step, or one test."""
    with explained(run, source, machine):
        ready(run, spec, machine).load().apply(run, machine, channel)


def left_running(run: LiveRun) -> str | None:
    """What to tell of a run's machine that is left as it is; ``None`` when there is none."""
    machine = run.booted
    if machine is None:
        return None
    spec = machine.communicator
    line = spec.by_hand(machine, run.workdir) if isinstance(spec, TellsTheWay) else None
    return f"the machine {machine.id} runs on, until `packerpy clean`" + (f"; reach it by: {line}" if line else "")


@contextmanager
def explained(run: LiveRun, source: Source, machine: Machine) -> Iterator[None]:
    """A lost or never opened channel is told together with what the machine itself shows."""
    try:
        yield
    except CommunicatorError as error:
        if isinstance(source, Diagnoses) and not run.cancellation.requested:
            seen = source.diagnose(run, machine)
            error.details = "\n".join(part for part in (error.details, seen) if part)
        raise
