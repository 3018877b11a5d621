"""Windows images whose instances start from snapshots that were prepared beforehand, as declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from packerpy.declare.declaration import declaration
from packerpy.values import Problem, frozen_map


@declaration(kw_only=True)
class LaunchTemplate:
    """A launch template that there is.

    :param id: its id.
    :param name: or its name.
    :param version: its number; by default the newest one.
    """

    id: str | None = None
    name: str | None = None
    version: int | None = None

    def problems(self) -> Iterable[Problem]:
        """What is wrong with it."""
        if self.id is None and self.name is None:
            yield Problem(where="id", what="is missing", fix="give id (lt-…) or name")
        if self.id is not None and self.name is not None:
            yield Problem(where="name", what="does not go with id", seen=self.name, fix="give one of them")
        if self.id is not None and not self.id.startswith("lt-"):
            yield Problem(where="id", what="is not an id", seen=repr(self.id), fix="it must begin with lt-")
        if self.version is not None and self.version < 1:
            yield Problem(where="version", what="is no version", seen=str(self.version), fix="use 1 or more")


def _hash(value: Mapping[str, LaunchTemplate]) -> tuple[tuple[str, LaunchTemplate], ...]:
    return tuple(value.items())


@declaration(kw_only=True)
class FastLaunch:
    """How Amazon prepares snapshots of a Windows image, which must have been generalised by Sysprep.

    Amazon starts instances of the image, by a launch template, until Windows has been set up in them, and snapshots
    them. The build waits until Amazon says that this is enabled. Snapshots cost money for as long as there are any.

    :param count: of snapshots that are kept prepared; by default Amazon's own number.
    :param max_parallel: instances that Amazon starts at once for that; 6 or more, which is its default.
    :param template: which instances those are, in the build's region; by default Amazon's own template.
    :param templates: region → which they are there, for copies.
    """

    count: int | None = None
    max_parallel: int | None = None
    template: LaunchTemplate | None = None
    templates: Mapping[str, LaunchTemplate] = attrs.field(factory=dict, converter=frozen_map, eq=_hash)

    def problems(self, region: str | None, regions: Iterable[str]) -> Iterable[Problem]:
        """What is wrong with it.

        :param region: of the image, if it is declared.
        :param regions: of its copies.
        """
        if self.count is not None and self.count < 1:
            yield Problem(where="count", what="must be 1 or more", seen=str(self.count))
        if self.max_parallel is not None and self.max_parallel < 6:
            yield Problem(where="max_parallel", what="must be 6 or more", seen=str(self.max_parallel))
        if self.template is not None:
            yield from (problem.within("template") for problem in self.template.problems())
        for place, template in self.templates.items():
            where = f"templates[{place!r}]"
            yield from (problem.within(where) for problem in template.problems())
            if not place:
                yield Problem(where=where, what="names no region", fix='write {"eu-west-1": LaunchTemplate(…)}')
            elif place == region and self.template is not None:
                yield Problem(where=where, what="is the build's own region, which template names too", fix="give one")
            elif place not in (*regions, region) and region is not None:
                yield Problem(where=where, what="is no region of the image", fix="add it to regions, or leave it out")

    def template_in(self, region: str, *, own: bool) -> LaunchTemplate | None:
        """The declared template.

        :param own: whether the region is the build's own.
        """
        return self.templates.get(region, self.template if own else None)


def fast_launch(value: FastLaunch | bool | None) -> FastLaunch | None:
    """``True`` for one with Amazon's defaults."""
    return FastLaunch() if value is True else value or None
