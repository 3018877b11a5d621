"""What a plan is told of the world, so that it needs not look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.declare import Secret
from packerpy.plan.readings import Readings
from packerpy.values import Artifact


@attrs.frozen(kw_only=True)
class Past:
    """The last time that a task was done.

    :ivar key: its key then.
    :ivar seconds: how long it took.
    :ivar at: when it ended, in seconds since the epoch.
    :ivar ingredients: name of each input → digest.
    """

    key: str | None
    seconds: float
    at: float
    ingredients: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Known:
    """A snapshot of the world, gathered by ``packerpy.artifacts.survey``.

    :ivar digests: digest of each file and folder that declarations read.
    :ivar secrets: keyed hash of each secret.
    :ivar built: key of a delivering task → its artifacts, for those that are still what they were.
    :ivar changed: key of a delivering task → which of its files are gone or were changed.
    :ivar gone: key of a capture or a delivery whose artifact its platform has no more → what of it; what stood under
        such a key is not re-used.
    :ivar history: task id → what is known of the last time it was done.
    :ivar seconds: key → how long its task took.
    :ivar layers: keys of saved machines that are there.
    :ivar results: key of a finished capture, test, post-processor or delivery whose result is stored → its artifacts.
    :ivar generations: key of a step with a greatest age, without its time → when it was last run.
    :ivar now: seconds since the epoch.
    :ivar fingerprints: build → what its saved machine depends on, for sources that save them; see
        :class:`packerpy.contracts.Checkpoints`.
    :ivar data: what was read from data sources, which stands in the declarations already.
    :ivar salt: versions of what carries tasks out, and of packerpy.
    """

    digests: Mapping[Path, str] = attrs.field(factory=dict)
    secrets: Mapping[Secret, str] = attrs.field(factory=dict)
    built: Mapping[str, tuple[Artifact, ...]] = attrs.field(factory=dict)
    changed: Mapping[str, str] = attrs.field(factory=dict)
    gone: Mapping[str, str] = attrs.field(factory=dict)
    history: Mapping[str, Past] = attrs.field(factory=dict)
    seconds: Mapping[str, float] = attrs.field(factory=dict)
    layers: frozenset[str] = frozenset()
    results: Mapping[str, tuple[Artifact, ...]] = attrs.field(factory=dict)
    generations: Mapping[str, float] = attrs.field(factory=dict)
    now: float = 0.0
    fingerprints: Mapping[str, str] = attrs.field(factory=dict)
    data: Readings = attrs.field(factory=Readings)
    salt: str = ""

    def without(self, gone: Mapping[str, str]) -> Known:
        """The same, once it is known what is gone."""
        built = {key: artifacts for key, artifacts in self.built.items() if key not in gone}
        results = {key: artifacts for key, artifacts in self.results.items() if key not in gone}
        return attrs.evolve(self, built=built, results=results, changed={**self.changed, **gone}, gone=gone)
