"""Machines that are saved after each task, and go on.

A layer is a machine after a task. The machine stands still while it is saved, goes on with the next task, and the layer
is completed and published meanwhile. So a finished task is never done again, whoever asks for it and whenever: a later
build, another build of this run that shares the first steps, another process; each starts a clone of the deepest layer
that it needs. A layer that is missing (dropped, damaged, or not saved because the disk was full) costs only time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol, Self, cast

import attrs

from packerpy.artifacts.layers import LayerStore
from packerpy.contracts import Checkpoints, Communicator, SavesElsewhere, Source
from packerpy.errors import PluginError, SourceError
from packerpy.execute.machine import apply_step, connected
from packerpy.execute.perform import Performer
from packerpy.execute.run import LiveRun
from packerpy.execute.saving import Saver
from packerpy.execute.scope import Scope
from packerpy.plan import Task, TaskKind
from packerpy.values import Artifact, Machine


class Saving(Source, Checkpoints, Protocol):
    """A source whose machines can be saved."""


class LayeredWork:
    """The units' work for machines that are saved, for one engine."""

    def __init__(self, performer: Performer, store: LayerStore) -> None:
        self._performer, self._store = performer, store
        self._made: set[str] = set()

    def perform(
        self, run: LiveRun, scope: Scope, chain: Sequence[Task], first: int, rest: Sequence[Task]
    ) -> Artifact | None:
        """Make layers; answers what was captured, if that is among the tasks.

        :param chain: boot and steps, which have keys.
        :param first: the number of the first one whose layer is to be made; those before have layers.
        :param rest: tasks without a key and then the capture; empty if others do these.
        """
        source = _saving(scope)
        saver = Saver(run, source, self._store, self._made)
        with saver, _Current(run, source, self._store, saver) as current:
            for number in range(first, len(chain)):
                done = chain[: number + 1]
                self._performer.perform(run, chain[number], lambda done=done: self._layer(current, done))  # type: ignore[misc]
            for number in range(1, len(rest)):
                done = (*chain, *rest[:number])
                self._performer.perform(run, rest[number - 1], lambda done=done: current.reach(done))  # type: ignore[misc]
            if not rest:
                return None
            return self._performer.perform(run, rest[-1], lambda: current.capture((*chain, *rest[:-1])))

    def _layer(self, current: _Current, chain: Sequence[Task]) -> None:
        key = key_of(chain[-1])
        with ExitStack() as holding:
            holding.enter_context(self._store.locked(key))
            if current.may_use(chain[-1]) and self._store.holds(key):
                current.run.say("another build has made this layer meanwhile")
                current.leave()
                return
            current.reach(chain)
            if chain[-1].kind is not TaskKind.BOOT or not isinstance(current.source, SavesElsewhere):
                current.save(chain[-1], holding.pop_all())


@attrs.define
class _Current:
    """The machine of a unit: none at first, one after another when others overtake us.

    :ivar done: how many tasks of the chain were done on it.
    :ivar torn: a task was begun on it and did not end well.
    """

    run: LiveRun
    source: Saving
    store: LayerStore
    saver: Saver
    done: int = 0
    torn: bool = False
    _open: tuple[Machine, Communicator] | None = None
    _used: ExitStack = attrs.field(factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._used.close()

    def reach(self, chain: Sequence[Task]) -> tuple[Machine, Communicator]:
        """Bring the machine to where all of ``chain`` has been done on it."""
        if self.torn:
            self.leave()
        machine, channel = self._open or self._start(chain)
        for task in chain[self.done :]:
            if task is not chain[-1]:
                self.run.say(f"its layer is not there: {task.title}")
            self.torn = True
            apply_step(self.run, task.spec, self.source, machine, channel)
            self.torn = False
            self.done += 1
        return machine, channel

    def may_use(self, task: Task) -> bool:
        """Whether the layer of a task may be used; what is done again needs one that was made now."""
        return not task.again or task.key in self.saver.made

    def save(self, task: Task, lock: ExitStack) -> None:
        """Save the machine as the layer of ``task``; it goes on."""
        assert self._open is not None  # noqa: S101  it was brought there
        machine, channel = self._open
        self.saver.save(task, lock, lambda folder: self.source.save(self.run, machine, channel, folder))

    def capture(self, chain: Sequence[Task]) -> Artifact:
        """End the machine's life with an artifact."""
        machine, channel = self.reach(chain)
        return self.source.capture(self.run, machine, channel)

    def leave(self) -> None:
        """Let go of the machine; the next one starts from the deepest layer."""
        self.saver.wait()
        self._used.close()
        if self._open is not None:
            left = self.run.close(failed=False)
            if left:
                raise SourceError("not everything could be undone", details="\n".join(left))
        self._open, self.done, self.torn = None, 0, False

    def _start(self, chain: Sequence[Task]) -> tuple[Machine, Communicator]:
        machine, done = self._deepest(chain)
        channel = connected(self.run, self.source, machine)
        self._used.callback(channel.close)
        if done:
            self.source.revive(self.run, machine, channel)
        self._open, self.done = (machine, channel), done or 1
        return machine, channel

    def _deepest(self, chain: Sequence[Task]) -> tuple[Machine, int]:
        """A machine from the deepest layer that can be used, and how many tasks were done on it; 0 is a fresh boot."""
        for number in range(len(chain), 0, -1):
            key = chain[number - 1].key
            if key is None or not self.may_use(chain[number - 1]):
                continue
            with ExitStack() as trying:
                layer = trying.enter_context(self.store.used(key))
                if layer is None:
                    continue
                try:
                    machine = self.source.restore(self.run, layer)
                except SourceError as error:
                    self.run.say(f"a layer cannot be used and is dropped: {error.brief}")
                    self.store.drop(key)
                    continue
                self._used.push(trying.pop_all())  # nobody drops the layer while its clone lives
                return machine, number
        return self.source.boot(self.run), 0


def _saving(scope: Scope) -> Saving:
    source = scope.planned.source.load()
    if not isinstance(source, Checkpoints):
        raise PluginError(f"{type(source).__name__} cannot save machines, though its declaration says so")
    return cast(Saving, source)


def key_of(task: Task) -> str:
    """The key of a task that has one."""
    if task.key is None:
        raise PluginError(f"{task.id} has no key, so its machine cannot be saved")
    return task.key


def machine_tasks(scope: Scope) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """Boot and steps that have keys; and those that have none, with the capture."""
    tasks = scope.planned.of(TaskKind.BOOT, TaskKind.STEP, TaskKind.CAPTURE)
    keyed = [task for task in tasks[:-1] if task.key is not None]
    return tuple(keyed), tasks[len(keyed) :]
