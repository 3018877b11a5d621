"""Builds images anew with values in the place of what stands for them."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from packerpy.declare import Image, Later, Output
from packerpy.declare.fill import fill, same
from packerpy.declare.walk import find, has
from packerpy.values import Problem

PARTS = ("sources", "provision", "tests", "test_on", "post", "error_cleanup")
"""Fields of an image that may hold what stands for a value."""


class Filler:
    """Fills images, and those they refer to, each once; what has nothing to fill stays the same object.

    :param lookup: see :func:`packerpy.declare.fill.fill`.
    :ivar problems: values that do not fit where they were to be put.
    """

    def __init__(self, lookup: Callable[[Later], object]) -> None:
        self.problems: list[Problem] = []
        self._lookup = lookup
        self._done: dict[int, Image] = {}

    def image(self, image: Image) -> Image:
        """Fill one image, and first those it refers to (without recursion: chains may be long)."""
        waiting = [image]
        while waiting:
            current = waiting[-1]
            bases = [o.image for o in find(_parts(current), Output) if not isinstance(o.image, str)]
            missing = [base for base in bases if id(base) not in self._done]
            if missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            if id(current) not in self._done:
                changed = any(self._done[id(base)] is not base for base in bases)
                self._done[id(current)] = self._filled(current, self._output) if changed else self._own(current)
        return self._done[id(image)]

    def _own(self, image: Image) -> Image:
        return self._filled(image) if has(_parts(image), Later) else image

    def _filled(self, image: Image, output: Callable[[Output], Output] = same) -> Image:
        made, problems = filled(image, self._lookup, output)
        self.problems += (problem.within(image.name) for problem in problems)
        return made

    def _output(self, output: Output) -> Output:
        if isinstance(output.image, str) or self._done[id(output.image)] is output.image:
            return output
        return attrs.evolve(output, image=self._done[id(output.image)])


def _parts(image: Image) -> tuple[object, ...]:
    return tuple(getattr(image, part) for part in PARTS)


def filled(
    image: Image, lookup: Callable[[Later], object], output: Callable[[Output], Output] = same
) -> tuple[Image, list[Problem]]:
    """The image with values put in, the same object if there is nothing to put in; and which values do not fit."""
    problems: list[Problem] = []
    after: dict[str, object] = {}
    for part, before in zip(PARTS, _parts(image), strict=True):
        found: list[Problem] = []
        after[part] = fill(before, lookup, output, found)
        problems += (problem.within(part) for problem in found)
    changed = any(after[part] is not getattr(image, part) for part in PARTS)
    return image.with_parts(**after) if changed else image, problems
