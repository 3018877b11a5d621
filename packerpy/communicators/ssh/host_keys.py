"""Which host keys a machine may show."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from packerpy.communicators.ssh.identity import HostKeyPolicy
from packerpy.errors import CommunicatorError
from packerpy.kit.ssh_keys import fingerprint


class HostKeys:
    """Known host keys of one machine, and what to do when none is known.

    :param name: what errors call the machine.
    :param known: public key lines.
    :param memory: a file that keeps what was learned, for the machine's next connection of the same run.
    :param policy: see :class:`packerpy.SSH`.
    :param source: where known keys were looked for, in errors.
    """

    def __init__(
        self,
        name: str,
        known: Iterable[str],
        memory: Path,
        policy: HostKeyPolicy = "first-use",
        *,
        source: str = "given beforehand",
    ) -> None:
        self._name, self._memory, self._policy, self._source = name, memory, policy, source
        self._lock = threading.Lock()
        self._declared = frozenset(_bare(line) for line in known)
        self._keys = set(self._declared)
        if not self._keys and policy == "first-use":
            self._keys = self._remembered()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Key types to ask the server for; empty when any will do."""
        if self._policy == "insecure":
            return ()
        return tuple(sorted({key.partition(" ")[0] for key in self._keys}))

    def verify(self, shown: str) -> bool:
        """Accept the key (``type base64``) that a server shows; answers whether it was learned just now.

        :raises CommunicatorError: it is another one than is known, or nobody knows one and that is not allowed.
        """
        if self._policy == "insecure":
            return False
        with self._lock:
            if shown in self._keys:
                return False
            if self._keys:
                raise self._mismatch(shown)
            if self._policy != "first-use":
                raise self._unknown(shown)
            self._keys.add(shown)
            self._memory.write_text(shown + "\n")
            return True

    def _remembered(self) -> set[str]:
        return set(self._memory.read_text().splitlines()) if self._memory.exists() else set()

    def _mismatch(self, shown: str) -> HostKeyError:
        origin = self._source if self._declared else "learned at the first connection"
        expected = ", ".join(f"{key.partition(' ')[0]} {fingerprint(key)}" for key in sorted(self._keys))
        return HostKeyError(
            f"the SSH server at {self._name} shows another host key than the machine has",
            details=f"shown: {shown.partition(' ')[0]} {fingerprint(shown)}\nexpected ({origin}): {expected}",
            resolution="another machine answers at this address, or the machine made itself new host keys; "
            "nothing was sent to it",
        )

    def _unknown(self, shown: str) -> HostKeyError:
        return HostKeyError(
            f"nobody knows the host key of the SSH server at {self._name}",
            details=f"shown: {shown.partition(' ')[0]} {fingerprint(shown)}\nlooked for: {self._source}",
            resolution="if that is the right one, declare it: host_keys=[…], or add it to the file; "
            "nothing was sent to it",
        )


class HostKeyError(CommunicatorError):
    """The server is not known to be the one that was meant; trying again would not change that."""


def _bare(line: str) -> str:
    """A public key line without its comment."""
    return " ".join(line.split()[:2])
