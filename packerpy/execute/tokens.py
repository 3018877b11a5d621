"""What a host has to give, and who holds how much of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.values import Resources

_OVERCOMMIT = 2.0
"""Guest processors per host processor: booting guests wait a lot, and twice as many threads keep a host busy."""


@attrs.frozen(kw_only=True)
class Capacity:
    """What may be taken at once.

    :ivar memory: bytes.
    :ivar cpus: threads.
    :ivar jobs: units at once; ``None`` is no limit of its own.
    :ivar platforms: platform → machines at once.
    """

    memory: int
    cpus: float
    jobs: int | None = None
    platforms: Mapping[str, int] = attrs.field(factory=dict)

    @classmethod
    def of_host(cls, *, jobs: int | None = None, platforms: Mapping[str, int] | None = None) -> Capacity:
        """This host: its available memory (``/proc/meminfo``) and twice its processors."""
        return cls(
            memory=_available_memory(),
            cpus=_OVERCOMMIT * len(os.sched_getaffinity(0)),
            jobs=jobs,
            platforms=platforms or {},
        )


class Tokens:
    """Hands out a capacity; used by the scheduler's thread only."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._held: dict[str, tuple[str, Resources]] = {}

    def take(self, holder: str, platform: str, wanted: Resources) -> bool:
        """Take if there is enough; what exceeds the whole host is given when nobody else holds any."""
        if not self._fits(platform, wanted):
            return False
        self._held[holder] = (platform, wanted)
        return True

    def give_back(self, holder: str) -> None:
        """Give back what a holder took."""
        del self._held[holder]

    def _fits(self, platform: str, wanted: Resources) -> bool:
        capacity, held = self._capacity, [resources for _, resources in self._held.values()]
        if capacity.jobs is not None and len(held) >= capacity.jobs:
            return False
        limit = capacity.platforms.get(platform)
        if limit is not None and Counter(name for name, _ in self._held.values())[platform] >= limit:
            return False
        if any(set(wanted.exclusive) & set(other.exclusive) for other in held):
            return False
        memory, cpus = sum(other.memory for other in held), sum(other.cpus for other in held)
        enough_memory = wanted.memory + memory <= capacity.memory or (wanted.memory and not memory)
        enough_cpus = wanted.cpus + cpus <= capacity.cpus or (wanted.cpus and not cpus)
        return bool((enough_memory or not wanted.memory) and (enough_cpus or not wanted.cpus))


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
