"""Several images that belong together."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from packerpy.declare.image import Image


def _images(value: Iterable[Image]) -> tuple[Image, ...]:
    return tuple(value)


@attrs.frozen
class Project:
    """Images that are planned and built together; what they refer to comes along by itself.

    :param images: the images wanted.
    :param name: for people.
    """

    images: tuple[Image, ...] = attrs.field(converter=_images)
    name: str = ""
