"""Runs a step as it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from packerpy.contracts import Communicator, Provisioner, Run, SupportsReconnect
from packerpy.errors import BuildError, Disconnected, ProvisionError
from packerpy.provisioners.meta.facts import Facts, read_facts
from packerpy.provisioners.meta.select import steps_of
from packerpy.provisioners.meta.specs import Meta, Step
from packerpy.values import Machine

_LONGEST_PAUSE = 60.0
"""Seconds between two tries, at most."""

_RECONNECT = 300.0
"""Seconds for a machine that hung up to come back; as for a shell step that restarts it."""


class GroupWorker(Provisioner):
    """Its steps, one after another, for whoever runs a group as one step."""

    def __init__(self, spec: Meta) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        for step in steps_of((self._spec,)):  # type: ignore[arg-type]
            step.load().apply(run, machine, channel)


class StepWorker(Provisioner):
    """Looks whether the step is wanted, waits, tries it, tries it again."""

    def __init__(self, spec: Step) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        if spec.when is not None and not self._wanted(read_facts(machine, channel)):
            run.say("not run: the guest is not one that it is meant for")
            return
        if spec.pause_before:
            run.say(f"waiting for {spec.pause_before:g} s")
            run.wait(spec.pause_before)
        try:
            self._try(run, machine, channel)
        except BuildError as error:
            if not spec.continue_on_error:
                raise
            _reconnect(channel, error)
            run.say(f"failed, and the build goes on as declared: {error}")

    def _wanted(self, facts: Facts) -> bool:
        when = self._spec.when
        if isinstance(when, Mapping):
            return facts.fit(when)
        try:
            return when is None or bool(when(facts))
        except Exception as error:
            raise ProvisionError(
                "the function in when= failed", details=f"{type(error).__name__}: {error}\n{facts}"
            ) from error

    def _try(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """Until it goes well; the last error is the one that counts."""
        spec, pause = self._spec, self._spec.backoff
        for number in range(1, spec.retries + 2):
            try:
                self._once(run, machine, channel)
            except BuildError as error:
                if number > spec.retries:
                    error.brief += f" (the last of {number} tries)" if spec.retries else ""
                    raise
                run.say(f"try {number} of {spec.retries + 1} failed, trying again in {pause:g} s: {error.brief}")
                run.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                _reconnect(channel, error)
            else:
                return

    def _once(self, run: Run, machine: Machine, channel: Communicator) -> None:
        spec = self._spec
        try:
            with self._limit(run):
                spec.spec.load().apply(run, machine, channel)
        except TimeoutError as error:
            raise ProvisionError(
                f"the step did not end within {spec.timeout:g} s and was killed: {spec.title}",
                resolution="raise its timeout=, or look at the output above for what it was waiting for",
            ) from error

    def _limit(self, run: Run) -> AbstractContextManager[None]:
        return nullcontext() if self._spec.timeout is None else run.limited(self._spec.timeout)


def _reconnect(channel: Communicator, error: BuildError) -> None:
    """Open a channel that was lost, or is about to be; one that works is kept."""
    if isinstance(channel, SupportsReconnect):
        channel.reconnect(_RECONNECT)
    elif isinstance(error, Disconnected) or isinstance(error.__cause__, Disconnected):
        raise error
