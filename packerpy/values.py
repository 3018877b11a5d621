"""Plain frozen values that cross the borders between the parts of packerpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from packerpy.contracts import CommunicatorSpec

Stream = Literal["stdout", "stderr"]


def frozen_map(value: Mapping[str, str] | Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Turn a mapping, or pairs, into a read-only mapping in sorted order."""
    return MappingProxyType(dict(sorted(dict(value).items())))


def _hash_map(value: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(value.items())


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong with a declaration.

    :ivar where: the dotted place, such as ``web.sources[0].memory``.
    :ivar what: what is wrong.
    :ivar seen: the offending value, as text; ``None`` when nothing was given.
    :ivar fix: what to write instead.
    """

    what: str
    where: str = ""
    seen: str | None = None
    fix: str | None = None

    def within(self, place: str) -> Problem:
        """The same problem, seen from one level further out."""
        if not self.where:
            return attrs.evolve(self, where=place)
        glue = "" if self.where.startswith("[") else "."
        return attrs.evolve(self, where=f"{place}{glue}{self.where}")

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.seen is not None:
            text += f" (seen: {self.seen})"
        if self.fix:
            text += f"; {self.fix}"
        return text


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where a machine can be reached, and by whose keys.

    :ivar host: address or name; empty for channels that need none (a chroot).
    :ivar port: TCP port.
    :ivar user: login name.
    :ivar key_file: private key made for this build, if any (mode 0600, in the run's work folder).
    :ivar host_keys: the machine's known public host keys (``ssh-ed25519 AAAA…``); empty means not known beforehand.
    :ivar path: a socket (guest agent) or a root folder (chroot, namespace).
    :ivar known: what an earlier channel found out about the same boot of the machine, so that this one need not ask;
        see :class:`packerpy.contracts.SupportsResume`.
    """

    host: str = ""
    port: int = 22
    user: str = "root"
    key_file: Path | None = None
    host_keys: tuple[str, ...] = ()
    path: Path | None = None
    known: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)


@attrs.frozen(kw_only=True)
class Machine:
    """A machine that was booted, as its source hands it to the engine.

    :ivar id: the platform's name of it (a QEMU pid file, an instance id, a container id).
    :ivar endpoint: where it can be reached.
    :ivar communicator: how to open the channel to it.
    :ivar facts: what the source knows of it (``firmware``, ``architecture``, …); strings only.
    """

    id: str
    endpoint: Endpoint
    communicator: CommunicatorSpec
    facts: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)


@attrs.frozen(kw_only=True)
class Command:
    """A command line for a machine's shell.

    :ivar line: what ``/bin/sh -c`` (the guest's login shell on Windows) is given.
    :ivar env: environment variables, set for this command only, never visible in its argv.
    :ivar sudo: run as root through ``sudo -n`` when the channel's user is not root.
    :ivar stdin: bytes the command reads; ``None`` is an empty input.
    :ivar pty: give it a terminal.
    :ivar timeout: seconds after which its process group is killed; ``None`` is no limit.
    """

    line: str
    env: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map, repr=False)
    sudo: bool = False
    stdin: bytes | None = attrs.field(default=None, repr=False)
    pty: bool = False
    timeout: float | None = None


@attrs.frozen(kw_only=True)
class Completed:
    """How a command ended.

    :ivar exit_status: its exit code; 128 + signal number when a signal ended it (as in a shell).
    :ivar stdout: all of its output, decoded as UTF-8 with replacement.
    :ivar stderr: likewise; empty under a pty.
    """

    exit_status: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_status == 0


@attrs.frozen(kw_only=True)
class Artifact:
    """What a task left behind: files, or things on a platform.

    :ivar kind: ``disk``, ``files``, ``ami``, …; what later tasks ask for.
    :ivar id: the artifact's name on its platform, or its first file's name.
    :ivar files: every file that belongs to it, absolute.
    :ivar outputs: named outputs: ``disk`` is the path of the boot disk, an AMI has ``ami:REGION``.
    :ivar facts: format, virtual size, firmware, login user and the like; strings only. What a disk carries for its
        next boot is told here: ``format``, ``user``, ``seed`` (``packerpy`` or ``nocloud``), ``agent`` (``qemu``).
    :ivar builder_id: who made it, e.g. ``packerpy.qemu``.
    """

    kind: str
    id: str
    files: tuple[Path, ...] = ()
    outputs: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)
    facts: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)
    builder_id: str = ""


@attrs.frozen(kw_only=True)
class Processed:
    """What a post-processor made.

    :ivar artifact: its result.
    :ivar needs_input: whether the result refers to the input's files, so that they must be kept.
    """

    artifact: Artifact
    needs_input: bool = False


@attrs.frozen(kw_only=True)
class Resources:
    """What a machine takes from the host while it runs.

    :ivar memory: bytes.
    :ivar cpus: host threads that it keeps busy.
    :ivar exclusive: names of things that only one machine may hold at a time.
    """

    memory: int = 0
    cpus: float = 0.0
    exclusive: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class HostTool:
    """A program of the host that a plug-in calls.

    :ivar name: the command, as looked up in PATH.
    :ivar package: the Debian package that holds it.
    :ivar needed_for: what of packerpy needs it, for people.
    """

    name: str
    package: str
    needed_for: str = ""


@attrs.frozen(kw_only=True)
class TaskFacts:
    """One task of a build, as it was planned.

    :ivar id: ``step-1``.
    :ivar key: the hash of everything that decides its result; empty when it has none.
    """

    id: str
    title: str
    key: str


@attrs.frozen(kw_only=True)
class DataFacts:
    """A data source that a build uses.

    :ivar id: of its reading: ``read/git_revision``.
    :ivar values: part used → what it was: a text as it is, other things as JSON, more than 1,000 characters as
        ``sha256:…``; a secret as ``hmac-sha256:…`` under a key of this user's, which tells only whether it changed.
    """

    id: str
    title: str
    values: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)


@attrs.frozen(kw_only=True)
class BuildFacts:
    """What a build is made of, for those who tell others where an artifact comes from.

    :ivar image: the image's name.
    :ivar source: the kind of its source.
    :ivar tasks: all of the build's, in order.
    :ivar files: every file and folder of the host that source and steps read → digest (SHA-256 of a file).
    :ivar downloads: URL → checksum, as declared; empty where none is.
    :ivar images: build → key, of the images that it stands on.
    :ivar data: the data sources that it uses, and what they answered.
    :ivar started: when the run began, in seconds since the epoch.
    """

    image: str = ""
    source: str = ""
    tasks: tuple[TaskFacts, ...] = ()
    files: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)
    downloads: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)
    images: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map)
    data: tuple[DataFacts, ...] = ()
    started: float = 0.0


@attrs.frozen
class Support:
    """What a component was run against; one row of the documentation's support table.

    :ivar what: the component, and which use of it, for people; Markdown.
    :ivar against: the real thing with its version, or ``nothing``.
    :ivar status: ``run`` (the tests use the real thing), ``simulated`` (a simulator or stand-in, told in ``against``),
        ``by hand`` (it was run, but no test does it), ``not run`` (not run against the real platform).
    """

    what: str
    against: str
    status: Literal["run", "simulated", "by hand", "not run"]
