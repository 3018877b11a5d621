"""A task while it runs, and the one shape in which it acquires things."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from packerpy.declare.reference import Output
    from packerpy.declare.values import Secret
    from packerpy.values import Artifact, BuildFacts

T = TypeVar("T")


class Step(Protocol[T]):
    """One acquisition: makes one thing and knows how to unmake it. Waiting for it to be ready is another step.

    A step is a frozen attrs value with plain fields, chosen *before* anything is made (name, tag, token), so that the
    journal can hold it and ``find`` can look for its thing after a crash.
    """

    @property
    def title(self) -> str:
        """What is acquired, for people: ``network namespace pp-3f``."""
        ...

    def do(self, run: Run) -> T:
        """Make the thing. What it raises must leave nothing that ``find`` could not see."""
        ...

    def undo(self, run: Run, made: T) -> None:
        """Unmake it; must be safe to call when it has gone already."""
        ...

    def find(self, run: Run) -> T | None:
        """The thing, when it exists, looked up by what was chosen beforehand; used after a crash."""
        ...


class Cancellation(Protocol):
    """Whether the run was asked to stop, and a way to be told at once."""

    @property
    def requested(self) -> bool:
        """Whether it was."""
        ...

    def check(self) -> None:
        """Raise :class:`packerpy.errors.CancelledError` if it was."""
        ...

    def calling(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Within the context, ``callback`` is called once on a cancel, from any thread; at once if late."""
        ...


@runtime_checkable
class Run(Protocol):
    """The chain of tasks that shares one machine, or one post-processing chain, while it runs.

    Belongs to one thread; only :attr:`cancellation` and :meth:`say` may be used from others.
    """

    @property
    def id(self) -> str:
        """The token of this run of packerpy, for names and tags (12 lower-case hex digits)."""
        ...

    @property
    def name(self) -> str:
        """The build: ``web`` or ``web.qemu``."""
        ...

    @property
    def build_facts(self) -> BuildFacts:
        """What the build is made of: its tasks with their keys, the files and images that they stand on."""
        ...

    @property
    def workdir(self) -> Path:
        """A private scratch folder (0700), removed at the end. Short enough for a unix socket's path."""
        ...

    @property
    def staging(self) -> Path:
        """Where this task writes files that become an artifact; published by the engine when complete."""
        ...

    @property
    def cache(self) -> Path:
        """Packerpy's cache folder, shared by all runs and processes of this user."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether machines are left running when the build fails, for its user to look at them.

        A platform whose machines are processes of this host then does not tie them to this process.
        """
        ...

    @property
    def cancellation(self) -> Cancellation:
        """Whether to stop."""
        ...

    def do(self, step: Step[T]) -> T:
        """Acquire scaffolding: undone, in reverse order, when the chain ends, whatever way it ends."""
        ...

    def keep(self, step: Step[T]) -> T:
        """Acquire the product: undone only if the chain fails or is cancelled."""
        ...

    def release(self, step: Step[T]) -> None:
        """Undo one acquisition now, before its turn."""
        ...

    def wait(self, seconds: float) -> None:
        """Pause; a cancel wakes it at once and raises :class:`packerpy.errors.CancelledError`."""
        ...

    def limited(self, seconds: float) -> AbstractContextManager[None]:
        """Within the context, whatever a cancel would end is ended when the time is up, too.

        :raises TimeoutError: the time was up, and the body did not end well; its error is the cause.
        """
        ...

    def pause(self, note: str) -> bool:
        """Stop until the user says to go on; answers at once, ``False``, when there is nobody to ask.

        :raises packerpy.errors.CancelledError: the user wants to end the build.
        """
        ...

    def shielded(self) -> AbstractContextManager[None]:
        """Within the context, a cancel or a limit of time ends nothing: for what must be tidied up after one."""
        ...

    def hide(self, secret: str) -> None:
        """From now on mask this text, in every form it may be printed in."""
        ...

    def reveal(self, secret: Secret) -> str:
        """The clear text of a declared secret; it is hidden from every output from now on."""
        ...

    def ask_secret(self, prompt: str) -> str | None:
        """Ask the user for a text that nobody may see, such as a code; it is hidden from every output from now on.

        Answers ``None`` when there is nobody to ask.
        """
        ...

    def artifact(self, output: Output) -> Artifact:
        """The artifact that an ``image.output(...)`` reference stands for."""
        ...

    def say(self, message: str) -> None:
        """Tell the user something, as an event of the current task."""
        ...

    def output(self, stream: str, text: str) -> None:
        """Hand on output of a command, as an event of the current task (an :class:`OutputSink`)."""
        ...

    def progress(self, done: float, total: float | None, unit: str = "bytes") -> None:
        """Tell how far the current task is."""
        ...
