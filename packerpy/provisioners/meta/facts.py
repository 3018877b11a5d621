"""What the guest says of itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from fnmatch import fnmatchcase

import attrs

from packerpy.contracts import Communicator
from packerpy.errors import ProvisionError
from packerpy.values import Command, Machine, frozen_map

_ASK = "uname -s -m -r && cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || true"


@attrs.frozen(kw_only=True)
class Facts:
    """The guest, as ``uname`` and ``/etc/os-release`` tell of it; see :manpage:`os-release(5)`.

    :ivar system: ``linux``, ``freebsd``, …; lower case.
    :ivar arch: the processor, as ``uname -m`` says it: ``x86_64``, ``aarch64``.
    :ivar kernel: its release.
    :ivar id: the distribution: ``debian``, ``fedora``; ``linux`` when the guest does not say.
    :ivar family: the distribution and those it is like, nearest first: ``("ubuntu", "debian")``.
    :ivar version_id: ``12``, ``22.04``; empty for distributions without versions.
    :ivar codename: ``bookworm``; empty when there is none.
    :ivar release: everything in os-release, with names in lower case.
    :ivar machine: what the source knows of the machine: ``firmware``, …
    """

    system: str
    arch: str
    kernel: str
    id: str = "linux"
    family: tuple[str, ...] = ()
    version_id: str = ""
    codename: str = ""
    release: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map)
    machine: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map)

    @property
    def version(self) -> tuple[int, ...]:
        """``version_id`` as numbers, to compare: ``guest.version >= (12,)``."""
        return tuple(int(part) for part in self.version_id.split(".") if part.isdecimal())

    def values_of(self, name: str) -> tuple[str, ...]:
        """What ``when={name: …}`` is compared with.

        :raises ProvisionError: nobody knows this fact.
        """
        for known in (self._own(), self.release, self.machine):
            if name in known:
                value = known[name]
                return value if isinstance(value, tuple) else (value,)
        names = sorted({*self._own(), *self.release, *self.machine})
        raise ProvisionError(f"the guest has no fact {name!r}", resolution=f"it has: {', '.join(names)}")

    def _own(self) -> Mapping[str, str | tuple[str, ...]]:
        names = ("system", "arch", "kernel", "id", "family", "version_id", "codename")
        return {name: getattr(self, name) for name in names}

    def fit(self, wanted: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether each fact named is like one of its globs."""
        return all(
            any(fnmatchcase(value, glob) for value in self.values_of(name) for glob in globs)
            for name, globs in wanted.items()
        )


def read_facts(machine: Machine, channel: Communicator) -> Facts:
    """Ask the guest, with one command.

    :raises ProvisionError: it has no ``uname``.
    """
    done = channel.run(Command(line=_ASK))
    first, _, rest = done.stdout.partition("\n")
    words = first.split()
    if not done.ok or len(words) != 3:
        raise ProvisionError("the guest does not say what it is", details=(done.stderr or done.stdout).strip())
    release = dict(_assignments(rest))
    own = release.get("id", "linux")
    return Facts(
        system=words[0].lower(),
        kernel=words[1],
        arch=words[2],
        id=own,
        family=tuple(dict.fromkeys((own, *release.get("id_like", "").split()))),
        version_id=release.get("version_id", ""),
        codename=release.get("version_codename", ""),
        release=release,
        machine=machine.facts,
    )


def _assignments(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                found.append((name.lower(), " ".join(shlex.split(value))))
            except ValueError:  # quotes that do not end; such a line says nothing
                continue
    return found
