"""Every exception that packerpy raises on purpose, and the exit code each one means.

::

    PackerpyError                        1
    ├── DeclarationError                 2   a value that cannot be declared at all
    ├── ValidationError                  2   all problems found by ``validate``, at once
    ├── PlanError                        2   a graph that cannot be ordered, an unknown selection
    ├── PluginError                      3   a plug-in broke its contract, or a host tool or library is missing
    ├── BuildError                       1   something went wrong while building
    │   ├── DataError                        a data source could not be read
    │   ├── SourceError                      boot, capture, the platform itself
    │   ├── CommunicatorError                the channel to the machine
    │   │   └── Disconnected                 the channel was lost in the middle of something
    │   ├── ProvisionError                   a provisioning step
    │   ├── CheckError                       a test of the finished image
    │   ├── PostProcessError                 a post-processor
    │   ├── OutputError                      the output folder, publication of artifacts
    │   └── PrerequisiteError                not run, because something it stands on failed
    ├── VerificationError                1   a signed statement, or a file, is not what it should be
    └── CancelledError                 130   the user asked to stop

Several failed builds of one run are raised together as one ``ExceptionGroup`` (:class:`BuildFailures`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from packerpy.values import Problem


class PackerpyError(Exception):
    """The root of the tree.

    :param brief: what went wrong, one line.
    :param details: what was seen: the command, its last output, the console; may have many lines.
    :param resolution: what the user can do about it.
    :ivar task: the task that failed, once the engine knows (``web/step-1``).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, brief: str, *, details: str | None = None, resolution: str | None = None) -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution
        self.task = ""

    def __str__(self) -> str:
        parts = [self.brief]
        if self.details:
            parts.append(self.details)
        if self.resolution:
            parts.append(f"What to do: {self.resolution}")
        return "\n".join(parts)


class DeclarationError(PackerpyError):
    """A value that makes no sense was given to a declaration."""

    exit_code = 2


class ValidationError(PackerpyError):
    """The declarations have problems; :attr:`problems` holds all of them."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        count = len(self.problems)
        super().__init__(
            f"{count} problem{'' if count == 1 else 's'} in the declarations",
            details="\n".join(f"- {problem}" for problem in self.problems),
        )


class PlanError(PackerpyError):
    """The declarations cannot be turned into a graph of tasks."""

    exit_code = 2


class PluginError(PackerpyError):
    """A plug-in, its library or a host tool it needs is missing or misbehaves."""

    exit_code = 3


class BuildError(PackerpyError):
    """Something failed while a plan was being executed."""


class DataError(BuildError):
    """A data source could not be read; nothing was made."""


class SourceError(BuildError):
    """A machine could not be booted, captured or handled by its platform."""


class CommunicatorError(BuildError):
    """The channel to a machine could not be opened, or failed."""


class Disconnected(CommunicatorError):
    """The channel was lost while a command or a transfer was under way."""


class ProvisionError(BuildError):
    """A provisioning step failed."""


class CheckError(BuildError):
    """A test of a finished image failed; the image is not delivered."""


class PostProcessError(BuildError):
    """A post-processor failed."""


class OutputError(BuildError):
    """An output folder is taken, not writable, or its file system is full."""


class PrerequisiteError(BuildError):
    """Not run, because something it stands on failed; the brief names it."""


class VerificationError(PackerpyError):
    """A signature is not of the given key, or a file is not the one that the signed statement is about."""


class CancelledError(PackerpyError):
    """The run was cancelled by its user; everything acquired was undone."""

    exit_code = 130


class BuildFailures(ExceptionGroup[PackerpyError]):
    """All failures of one run, in the order in which they happened."""

    def derive(self, excs: Sequence[PackerpyError], /) -> BuildFailures:  # type: ignore[override]
        """Keep the type when the group is split (see :class:`ExceptionGroup`)."""
        return BuildFailures(self.message, excs)

    @property
    def exit_code(self) -> int:
        """The exit code of the first failure."""
        first = self.exceptions[0]
        return first.exit_code if isinstance(first, PackerpyError) else 1
