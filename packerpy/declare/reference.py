"""References from one image to what another one leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from packerpy.declare.image import Image


@attrs.frozen
class Output:
    """What ``image`` leaves behind under ``name``; giving it to a field makes the edge of the graph.

    :ivar image: the image that is built first, or the name of one that is given to the same build.
    :ivar name: which of its outputs: ``disk`` for every disk image.
    :ivar source: of which of its sources, when it has several.
    """

    image: Image | str = attrs.field(repr=lambda image: repr(getattr(image, "name", image)))
    name: str = "disk"
    source: str | None = attrs.field(default=None, kw_only=True)

    def __str__(self) -> str:
        middle = f".{self.source}" if self.source else ""
        return f"{self.image_name}{middle}.{self.name}"

    @property
    def image_name(self) -> str:
        """The name of the image, however it was given."""
        return self.image if isinstance(self.image, str) else self.image.name
