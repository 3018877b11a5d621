"""The keys of a US keyboard, by the names that QEMU has for them (its ``QKeyCode``)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs


@attrs.frozen
class Key:
    """One key.

    :ivar name: QEMU's name of it.
    :ivar shift: whether Shift is held meanwhile.
    """

    name: str
    shift: bool = False


SPECIAL: Mapping[str, str] = MappingProxyType(
    {
        "bs": "backspace",
        "del": "delete",
        "enter": "ret",
        "return": "ret",
        "esc": "esc",
        "tab": "tab",
        "up": "up",
        "down": "down",
        "left": "left",
        "right": "right",
        "spacebar": "spc",
        "insert": "insert",
        "home": "home",
        "end": "end",
        "pageUp": "pgup",
        "pageDown": "pgdn",
        "menu": "menu",
        **{f"f{number}": f"f{number}" for number in range(1, 13)},
        "leftAlt": "alt",
        "rightAlt": "alt_r",
        "leftCtrl": "ctrl",
        "rightCtrl": "ctrl_r",
        "leftShift": "shift",
        "rightShift": "shift_r",
        "leftSuper": "meta_l",
        "rightSuper": "meta_r",
        "leftCommand": "meta_l",
        "rightCommand": "meta_r",
        "leftOption": "alt",
        "rightOption": "alt_r",
    }
)
"""Packer's names of keys that have no character; they are read without regard to case."""

_ROWS = (
    ("`1234567890-=", "~!@#$%^&*()_+"),
    ("[]\\;',./", '{}|:"<>?'),
)
_NAMES = {
    "`": "grave_accent",
    "-": "minus",
    "=": "equal",
    "[": "bracket_left",
    "]": "bracket_right",
    "\\": "backslash",
    ";": "semicolon",
    "'": "apostrophe",
    ",": "comma",
    ".": "dot",
    "/": "slash",
}


def _characters() -> Mapping[str, Key]:
    found = {" ": Key("spc"), "\n": Key("ret"), "\t": Key("tab")}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        found |= {letter: Key(letter), letter.upper(): Key(letter, shift=True)}
    for plain, shifted in _ROWS:
        for below, above in zip(plain, shifted, strict=True):
            name = _NAMES.get(below, below)
            found |= {below: Key(name), above: Key(name, shift=True)}
    return MappingProxyType(found)


CHARACTERS = _characters()
"""What can be typed, and by which key."""


def key_of(character: str) -> Key | None:
    """The key for a character; ``None`` where a US keyboard has none."""
    return CHARACTERS.get(character)
