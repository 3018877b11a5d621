"""Layers that are completed while their machine goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import attrs

from packerpy.artifacts.layers import LayerStore
from packerpy.contracts import Finish
from packerpy.errors import CancelledError, OutputError, PackerpyError
from packerpy.execute import elsewhere
from packerpy.execute.run import LiveRun
from packerpy.kit.folder import Folder
from packerpy.plan import Task


@attrs.define(eq=False)
class _Pending:
    """A layer on its way into the store."""

    growing: Folder
    thread: threading.Thread
    failure: BaseException | None = None


@attrs.define(eq=False)
class Saver:
    """Saves the machines of one unit; at its end every layer is in the store, or given up.

    A layer that cannot be saved costs the layer, not the build.

    :ivar source: whose machines they are.
    :ivar made: keys of all layers that this call of packerpy has made.
    """

    run: LiveRun
    source: object
    store: LayerStore
    made: set[str]
    _pending: list[_Pending] = attrs.field(factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """After a failure too: what was finished before is what the next build starts from."""
        self.wait()

    def save(self, task: Task, lock: ExitStack, save: Callable[[Path], Finish]) -> None:
        """Call ``save`` with the new layer's folder, and complete in the background what that leaves to do.

        :param lock: keeps others from making the same layer; closed when it is in the store.
        """
        key = task.key or ""
        growing = Folder(self.store.partial(key, self.run.id), "layer being saved")
        finish = self._begun(growing, save, lock)
        if finish is None:
            return

        def complete() -> None:
            with lock:
                try:
                    finish()
                    elsewhere.publish(
                        self.run, self.store, self.source, growing.path, key, task.title, again=task.again
                    )
                    self.made.add(key)
                except BaseException as error:  # noqa: BLE001  told by the thread that waits
                    pending.failure = error

        thread = threading.Thread(target=complete, name=f"packerpy layer {task.id}", daemon=True)
        pending = _Pending(growing, thread)
        self._pending.append(pending)
        thread.start()

    def _begun(self, growing: Folder, save: Callable[[Path], Finish], lock: ExitStack) -> Finish | None:
        with ExitStack() as failing:
            failing.enter_context(lock)
            try:
                folder = self.run.do(growing)
            except OutputError as error:
                self._tell(error)
                return None
            try:
                finish = save(folder)
            except PackerpyError as error:
                self._tell(error)
                self.run.release(growing)
                return None
            failing.pop_all()
        return finish

    def wait(self) -> None:
        """Until all layers are in the store, or given up."""
        for pending in self._pending:
            pending.thread.join()
        while self._pending:
            pending = self._pending.pop()
            self.run.release(pending.growing)
            if pending.failure is not None:
                self._tell(pending.failure)

    def _tell(self, failure: BaseException) -> None:
        if isinstance(failure, CancelledError) or not isinstance(failure, PackerpyError):
            raise failure
        self.run.say(f"the machine is not saved: {failure.brief}")
