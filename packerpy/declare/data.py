"""Data sources in declarations, and references to parts of what they read."""

from __future__ import annotations

import attrs

from packerpy.contracts.data import DataSpec
from packerpy.declare.later import Later

Step = str | int


class Data(DataSpec, Later):
    """Base of every data source declaration; the source itself in a field stands for all that it reads.

    ``source["commit"]`` stands for one part of it, ``source["data"]["items"][0]`` for one further in.
    """

    @property
    def shown(self) -> str:
        """Its kind, in braces."""
        return "{" + self.kind + "}"

    def __getitem__(self, key: Step) -> DataOutput:
        return DataOutput(self, (key,))

    def output(self, *path: Step) -> DataOutput:
        """A reference to a part: ``source.output("data", "items", 0)`` is ``source["data"]["items"][0]``."""
        return DataOutput(self, path)


@attrs.frozen
class DataOutput(Later):
    """A part of what a data source reads; stands for its value in any field that takes text.

    :ivar data: the data source.
    :ivar path: keys and positions that lead to the part.
    """

    data: Data
    path: tuple[Step, ...] = ()

    @property
    def shown(self) -> str:
        """The kind and the path, in braces: ``{git_revision.commit}``."""
        return "{" + ".".join((self.data.kind, *map(str, self.path))) + "}"

    def __getitem__(self, key: Step) -> DataOutput:
        return attrs.evolve(self, path=(*self.path, key))
