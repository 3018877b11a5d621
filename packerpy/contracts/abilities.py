"""What only some plug-ins can do; asked for with ``isinstance``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol, runtime_checkable

from packerpy.contracts.communicator import Communicator
from packerpy.contracts.run import Run, Step
from packerpy.contracts.source import SourceSpec
from packerpy.values import Artifact, HostTool, Machine, Resources


@runtime_checkable
class ReadsFiles(Protocol):
    """Of a declaration: it reads files of the host, whose content belongs to its key."""

    def reads(self) -> Iterable[Path]:
        """Files and folders, absolute or relative to the working folder."""
        ...


@runtime_checkable
class FillsValues(Protocol):
    """Of a source declaration: it puts values of the build into its own fields, before there is a machine."""

    def fills(self) -> Mapping[str, frozenset[str]]:
        """Field → names of the values that may stand in it (:class:`packerpy.declare.BuildValue`)."""
        ...


@runtime_checkable
class KeyedAs(Protocol):
    """Of a declaration: its content key is that of something else, which decides its result alone."""

    def keyed_as(self) -> object:
        """What to hash in its place; never the declaration itself."""
        ...


@runtime_checkable
class Downloads(Protocol):
    """Of a declaration: it downloads files, which the result is made of."""

    def downloads(self) -> Mapping[str, str]:
        """URL → checksum, as declared: ``sha256:…``; empty where none is."""
        ...


@runtime_checkable
class HasResources(Protocol):
    """Of a declaration: it takes memory or processors of the host."""

    def resources(self) -> Resources:
        """How much."""
        ...


@runtime_checkable
class DescribesTools(Protocol):
    """Of a declaration: it calls programs of the host."""

    def tools(self) -> Iterable[HostTool]:
        """Which, given its options."""
        ...


@runtime_checkable
class TestsArtifacts(Protocol):
    """Of a source declaration: it can boot a finished artifact on a throw-away copy."""

    def for_test(self, artifact: Artifact) -> SourceSpec:
        """The declaration that boots ``artifact`` with the same hardware as this one and never writes to it."""
        ...


@runtime_checkable
class Diagnoses(Protocol):
    """Of a source: it can say why a machine does not answer."""

    def diagnose(self, run: Run, machine: Machine) -> str:
        """Last lines of the console, path of a screenshot, the process's own last words. Never raises."""
        ...

    def died(self, run: Run, machine: Machine) -> str | None:
        """Why the machine is gone, or ``None`` while it lives; cheap, it is polled while waiting for a channel."""
        ...


@runtime_checkable
class LooksForArtifacts(Protocol):
    """Of a source or a post-processor: a platform keeps its artifacts, where others can remove them, and tells of them.

    Asked before an artifact without files is re-used.
    """

    def gone(self, run: Run, artifact: Artifact) -> str:
        """What of an artifact is there no more, for people; empty when all of it is, and for artifacts of others.

        :param run: to look around with; nothing is acquired.
        :raises packerpy.errors.SourceError: the platform does not tell.
        """
        ...


class Finish(Protocol):
    """Completes what was begun; see :meth:`Checkpoints.save`."""

    def __call__(self) -> None:
        """Do it, once."""
        ...


@runtime_checkable
class Checkpoints(Protocol):
    """Of a source: it can save a running machine, and start any number of clones from what it saved."""

    def fingerprint(self, run: Run) -> str:
        """A digest of everything of host and platform that a saved machine depends on, beside its declared content.

        Versions, machine and processor type, accelerator, devices. A layer is only good under the fingerprint under
        which it was saved.
        """
        ...

    def save(self, run: Run, machine: Machine, channel: Communicator, layer: Path) -> Finish:
        """Save the running machine into the empty folder ``layer``, which is for this user only.

        The machine stands still meanwhile and then goes on, and so does ``channel``. The layer stands on nothing but
        the disk that the machine was first booted from. ``run`` is the one that booted or restored it.

        Answers what can be done while the machine goes on: it is called once, in any thread, before ``run`` ends; the
        layer is complete, and on the disk, when it returns.

        :raises packerpy.errors.BuildError: (the call that is answered too) it cannot be saved, or the file system is
            full; the machine goes on as if nothing had been.
        """
        ...

    def restore(self, run: Run, layer: Path) -> Machine:
        """Start a clone of a saved machine; the layer is never written, and must stay in place while the clone lives.

        The clone has the endpoint's keys and the facts of the saved machine, an id and an address of its own, and a
        clock that stands where the saved one stood: see :meth:`revive`.

        :raises packerpy.errors.SourceError: the layer is damaged, or was saved under another fingerprint.
        """
        ...

    def revive(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """Do what a restored machine needs before anything else runs in it: clock, randomness, a look at its network.

        :raises packerpy.errors.SourceError: it cannot be done.
        """
        ...


@runtime_checkable
class SavesElsewhere(Protocol):
    """Of a source with :class:`Checkpoints`: what it saves is on its platform, not in the layer's folder.

    A machine that was only booted is not saved then: to start it from its layer would be to boot it again.
    """

    @property
    def max_age(self) -> float:
        """Seconds after which a layer that nobody used goes."""
        ...

    def held(self, layer: Path) -> Iterable[Step[Any]]:
        """The steps by which a complete layer's things were made; they are undone when the layer is dropped."""
        ...


@runtime_checkable
class SupportsTree(Protocol):
    """Of a communicator: it moves whole folders at once."""

    def put_tree(self, source: Path, target: PurePath) -> None:
        """Upload the *contents* of folder ``source`` into folder ``target`` (made if missing), with modes and links."""
        ...

    def get_tree(self, source: PurePath, target: Path) -> None:
        """Download the contents of a folder into ``target`` (made if missing)."""
        ...


@runtime_checkable
class TellsTheWay(Protocol):
    """Of a communicator's declaration: people can go its way themselves, to a machine that was left for them."""

    def by_hand(self, machine: Machine, folder: Path) -> str | None:
        """A command line that lets its reader into the machine; ``None`` where there is none.

        :param folder: stays as long as the machine; gets files that the command needs. No secret stands in the line.
        """
        ...


@runtime_checkable
class SupportsReconnect(Protocol):
    """Of a communicator: it can open its channel again after the machine restarted."""

    def reconnect(self, timeout: float) -> None:
        """Wait until the machine answers again, at most ``timeout`` seconds.

        :raises packerpy.errors.CommunicatorError: it did not.
        """
        ...


@runtime_checkable
class SupportsResume(Protocol):
    """Of a communicator: a later channel to the same boot of its machine can begin with what this one knows.

    The source that saves the machine keeps that, and hands it on as :attr:`packerpy.values.Endpoint.known`.
    """

    def known(self) -> Mapping[str, str]:
        """What it has found out; no secrets, as it is stored in clear."""
        ...
