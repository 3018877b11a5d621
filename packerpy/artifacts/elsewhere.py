"""What layers hold on platforms: written into the layer, and into a list of its own when the layer is dropped."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from packerpy.artifacts.journal import read_step, write_step
from packerpy.contracts import Step
from packerpy.kit.publish import write_text

_NAME = "packerpy-elsewhere.json"
"""In a layer that holds something elsewhere."""

_DROPPED = ".dropped"
"""Below the store: of each layer that was dropped, what it held elsewhere and still may."""

_converter = make_converter()


@attrs.frozen(kw_only=True)
class Elsewhere:
    """What one layer holds.

    :ivar key: the layer's.
    :ivar title: what was done last on its machine.
    :ivar max_age: seconds after which the layer goes when nobody used it.
    :ivar written: name and fields of the steps that made the things, in that order.
    """

    key: str
    title: str
    max_age: float
    written: tuple[tuple[str, str], ...]

    def steps(self) -> Iterator[Callable[[], Step[Any]]]:
        """What reads each step, in the order in which they are to be undone."""
        return (partial(read_step, name, fields, f"layer {self.key}") for name, fields in reversed(self.written))


def note(layer: Path, key: str, title: str, max_age: float, steps: Iterable[Step[Any]]) -> None:
    """Write into a layer that is not published yet what it holds elsewhere."""
    told = Elsewhere(key=key, title=title, max_age=max_age, written=tuple(map(write_step, steps)))
    write_text(layer / _NAME, _converter.dumps(told))


def of_layer(layer: Path) -> Elsewhere | None:
    """What a layer holds elsewhere, if anything."""
    return _read(layer / _NAME)


def note_dropped(store: Path, layer: Path) -> None:
    """A layer is about to be dropped: keep what it says of things elsewhere."""
    try:
        text = (layer / _NAME).read_text()
    except FileNotFoundError:
        return
    folder = store / _DROPPED
    folder.mkdir(mode=0o700, exist_ok=True)
    write_text(folder / f"{layer.name}-{secrets.token_hex(4)}.json", text)


def dropped(store: Path) -> Iterator[tuple[Path, Elsewhere]]:
    """What dropped layers held: the note of each, to be deleted when its things are gone.

    A note whose layer is still there was written by somebody who has not got on to dropping it.
    """
    for note_ in sorted((store / _DROPPED).glob("*.json")):
        told = _read(note_)
        if told is not None and of_layer(store / told.key) != told:
            yield note_, told


def _read(path: Path) -> Elsewhere | None:
    try:
        return _converter.loads(path.read_text(), Elsewhere)
    except FileNotFoundError:
        return None
