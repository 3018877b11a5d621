"""The text of a text field, when its step runs."""

from __future__ import annotations

from packerpy.contracts import Run
from packerpy.declare.later import Joined, Later, as_text
from packerpy.declare.values import Secret, Text
from packerpy.errors import PluginError


def text_of(run: Run, value: Text) -> str:
    """What a field says; a secret's text is hidden from now on, numbers and truth values become text.

    :raises PluginError: the engine did not fill it in, or what it filled in is no text.
    """
    if isinstance(value, Secret):
        return run.reveal(value)
    if isinstance(value, Joined):
        return "".join(text_of(run, part) for part in value.parts)
    if isinstance(value, Later):
        raise PluginError(f"{value.shown} reached a step without a value")
    if not isinstance(value, (str, int, float)):
        raise PluginError(
            f"a {type(value).__name__} stands where a text belongs",
            resolution="if it comes from a data source, name the part wanted: source['key']",
        )
    return as_text(value)
