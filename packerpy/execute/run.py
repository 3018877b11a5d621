"""One chain of tasks while it runs: its folders, its voice, its undo stack."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs

from packerpy import events
from packerpy.artifacts.journal import Journal
from packerpy.contracts import Communicator, Run, Step
from packerpy.declare import Output, Secret
from packerpy.errors import CancelledError, PluginError
from packerpy.execute.asking import AskStop, Stop
from packerpy.execute.bus import Bus
from packerpy.execute.cancellation import CancelToken, limited
from packerpy.kit.folder import Folder
from packerpy.values import BuildFacts, Machine

T = TypeVar("T")


@attrs.define
class _Acquired:
    step: Step[Any]
    made: Any
    product: bool
    entry: int


class LiveRun(Run):
    """The engine's :class:`packerpy.contracts.Run`.

    :ivar booted: the machine that was booted last, reached or not.
    :ivar machine: the machine that it reached last.
    :ivar reach: opens another channel to its machine; ``None`` before there is one.
    """

    def __init__(
        self,
        *,
        run_id: str,
        name: str,
        workdir: Path,
        staging: Path,
        cache: Path,
        token: CancelToken,
        force: CancelToken,
        bus: Bus,
        journal: Journal,
        reveal: Callable[[Secret], str],
        artifact: Callable[[Output], Any],
        facts: Mapping[str, str] | None = None,
        build_facts: Callable[[], BuildFacts] = BuildFacts,
        stop: AskStop | None = None,
        lasting: bool = False,
    ) -> None:
        self._id, self._name = run_id, name
        self._workdir, self._staging, self._cache = workdir, staging, cache
        self._whole, self._token, self._force = token, token, force
        self._bus, self._journal = bus, journal
        self._reveal, self._artifact = reveal, artifact
        self._acquired: list[_Acquired] = []
        self._scratch: Folder | None = None
        self._scratch_entry: int | None = None
        self._task = ""
        self._lines: dict[str, str] = {}
        self._lines_lock = threading.Lock()
        self._build_facts = build_facts
        self.facts: Mapping[str, str] = facts or {}
        self.stop = stop
        self._lasting = lasting
        self.booted: Machine | None = None
        self.machine: Machine | None = None
        self.reach: Callable[[], Communicator] | None = None

    @property
    def id(self) -> str:
        """The run's token."""
        return self._id

    @property
    def name(self) -> str:
        """The build's name."""
        return self._name

    @property
    def build_facts(self) -> BuildFacts:
        """What the build is made of."""
        return self._build_facts()

    @property
    def workdir(self) -> Path:
        """Scratch, made when first asked for."""
        if not self._workdir.exists():
            self._scratch = Folder(self._workdir, "work folder")
            self._scratch_entry = self._journal.intend(self._id, self._name, self._scratch, product=False)
            self._scratch.do(self)
        return self._workdir

    @property
    def staging(self) -> Path:
        """Where the build's artifacts grow, made when first asked for."""
        self._staging.mkdir(parents=True, exist_ok=True)
        return self._staging

    @property
    def cache(self) -> Path:
        """The user's cache folder."""
        return self._cache

    @property
    def lasting(self) -> bool:
        """Whether machines may outlive us."""
        return self._lasting

    @property
    def cancellation(self) -> CancelToken:
        """Whether to stop."""
        return self._token

    @property
    def bus(self) -> Bus:
        """Where its events go."""
        return self._bus

    @property
    def task(self) -> str:
        """The task that events are about."""
        return self._task

    def enter(self, task: str) -> None:
        """From now on events are about ``task``."""
        self.flush()
        self._task = task

    def do(self, step: Step[T]) -> T:
        """Acquire scaffolding."""
        return self._acquire(step, product=False)

    def keep(self, step: Step[T]) -> T:
        """Acquire the product."""
        return self._acquire(step, product=True)

    def _acquire(self, step: Step[T], *, product: bool) -> T:
        self._token.check()
        entry = self._journal.intend(self._id, self._name, step, product=product)
        try:
            made = step.do(self)
        except BaseException:
            self._undo_half_made(step, entry)
            raise
        self._acquired.append(_Acquired(step, made, product, entry))
        self._journal.made(entry)
        return made

    def _undo_half_made(self, step: Step[Any], entry: int) -> None:
        """A step that failed may have left its thing behind; it knows how to find it."""
        try:
            with self.shielded():
                found = step.find(self)
                if found is not None:
                    step.undo(self, found)
        except Exception as error:  # noqa: BLE001  the first error matters more; this one is told as an event
            self._tell_undone(step, error)
            return
        self._journal.undone(entry)

    def release(self, step: Step[T]) -> None:
        """Undo one acquisition now."""
        acquired = self._found(step)
        acquired.step.undo(self, acquired.made)
        self._acquired.remove(acquired)
        self._journal.undone(acquired.entry)

    def hand_over(self, step: Step[Any]) -> None:
        """Somebody else sees to this acquisition from now on; may be called from any thread."""
        acquired = self._found(step)
        self._acquired.remove(acquired)
        self._journal.kept(acquired.entry)

    def _found(self, step: Step[Any]) -> _Acquired:
        for acquired in reversed(tuple(self._acquired)):
            if acquired.step == step:
                return acquired
        raise PluginError(f"released what was never acquired: {step.title}")

    def close(self, *, failed: bool, undo: bool = True) -> tuple[str, ...]:
        """End the chain: undo what must go, in reverse; answers what could not be undone.

        :param failed: products go too.
        :param undo: ``False`` leaves everything as it is (``on_error="abort"``); the journal keeps it findable.
        """
        self.flush()
        self.booted = self.machine = self.reach = None
        left: list[str] = []
        with self.shielded():
            while self._acquired:
                acquired = self._acquired.pop()
                if acquired.product and not failed:
                    self._journal.kept(acquired.entry)
                    continue
                if not undo or self._force.requested:
                    left.append(acquired.step.title)
                    self._journal.left(acquired.entry)
                    continue
                try:
                    acquired.step.undo(self, acquired.made)
                except Exception as error:  # noqa: BLE001  one thing that stays must not keep the others
                    left.append(f"{acquired.step.title}: {error}")
                    self._journal.left(acquired.entry)
                    self._tell_undone(acquired.step, error)
                else:
                    self._journal.undone(acquired.entry)
                    if failed:
                        self._tell_undone(acquired.step, None)
        if self._scratch is not None and self._scratch_entry is not None:
            if undo:
                self._scratch.undo(self, self._workdir)
                self._journal.undone(self._scratch_entry)
                self._scratch = None
            else:
                self._journal.left(self._scratch_entry)
        return tuple(left)

    def shielded(self) -> _Shield:
        """Undoing goes on after a cancel; only the second one stops it."""
        return _Shield(self)

    def _tell_undone(self, step: Step[Any], error: BaseException | None) -> None:
        self._bus.emit(
            events.Undone(build=self._name, task=self._task, title=step.title, error=str(error) if error else "")
        )

    def wait(self, seconds: float) -> None:
        """Pause, unless cancelled."""
        self._token.wait(seconds)

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """A limit of time."""
        outer = self._token
        try:
            with limited(outer, seconds) as inner:
                self._token = inner
                try:
                    yield
                except Exception as error:
                    if inner.requested and not outer.requested:
                        raise TimeoutError(f"not done within {seconds:g} s") from error
                    raise
        finally:
            self._token = outer

    def pause(self, note: str) -> bool:
        """Ask whoever can be asked."""
        if self.stop is None:
            return False
        stop = Stop(build=self._name, task=self._task, title=note, machine=self.machine, reach=self.reach)
        if not self.stop(stop):
            self._whole.request()
            raise CancelledError("ended by its user at a breakpoint")
        return True

    def hide(self, secret: str) -> None:
        """Mask from now on."""
        self._bus.masker.hide(secret)

    def reveal(self, secret: Secret) -> str:
        """Read a secret and hide it."""
        text = self._reveal(secret)
        self.hide(text)
        return text

    def ask_secret(self, prompt: str) -> str | None:
        """Ask whoever can be asked, and hide the answer."""
        text = self._bus.ask_secret(prompt)
        if text is not None:
            self.hide(text)
        return text

    def artifact(self, output: Output) -> Any:
        """What a reference stands for."""
        return self._artifact(output)

    def say(self, message: str) -> None:
        """Tell the user."""
        self._bus.emit(events.TaskMessage(build=self._name, task=self._task, text=message))

    def output(self, stream: str, text: str) -> None:
        """Collect output and hand it on in whole lines, so that a secret is never cut in two before it is masked."""
        with self._lines_lock:
            lines = (self._lines.get(stream, "") + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._lines[stream] = lines.pop()
        for line in lines:
            self._emit_line(stream, line)

    def flush(self) -> None:
        """Hand on what has come of unfinished lines."""
        with self._lines_lock:
            rest, self._lines = self._lines, {}
        for stream, line in rest.items():
            if line:
                self._emit_line(stream, line)

    def _emit_line(self, stream: str, line: str) -> None:
        self._bus.emit(events.TaskOutput(build=self._name, task=self._task, stream=stream, text=line))

    def progress(self, done: float, total: float | None, unit: str = "bytes") -> None:
        """Tell how far the task is."""
        self._bus.emit(events.TaskProgress(build=self._name, task=self._task, done=done, total=total, unit=unit))


class _Shield:
    """Swaps the run's cancellation for the one of the second request."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run

    def __enter__(self) -> None:
        self._token = self._run._token  # noqa: SLF001  the shield is a part of the run
        self._run._token = self._run._force  # noqa: SLF001

    def __exit__(self, *_: object) -> None:
        self._run._token = self._token  # noqa: SLF001
