"""From text to actions. No library reads this language; its grammar is small."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import attrs

from packerpy.declare import Later, Secret
from packerpy.declare.later import Joined, as_text
from packerpy.kit.boot_command.keys import SPECIAL, Key, key_of
from packerpy.kit.boot_command.values import FILLS, Action, Begin, Fill, Hold, Press, Release, TypeSecret, Wait, WaitFor
from packerpy.kit.boot_steps import BootStep

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(rf"(?P<sign>[+-]?)(?:(?P<seconds>\d+)|(?P<parts>(?:{_PART})+))")
_WAIT_FOR = re.compile(r'<wait for "(?P<text>(?:[^"\\]|\\.)*)"(?: +(?P<limit>[^\s>]+))?\s*>', re.DOTALL)
_TOKEN = re.compile(r"<(?P<name>[^<>\n]*)>")
_SPECIAL = {name.lower(): key for name, key in SPECIAL.items()}
_WORDS = ("wait", "lt", *FILLS, *SPECIAL)
_LITERAL = "write <lt> for the character <"


@attrs.frozen(kw_only=True)
class Mistake:
    """One place that cannot be typed.

    :ivar at: which character of the whole text it is, from 1.
    :ivar seen: the token or character.
    :ivar what: what is wrong.
    :ivar fix: what to write instead.
    """

    at: int
    seen: str
    what: str
    fix: str


@attrs.frozen
class Parsed:
    """A text as actions, and everything that is wrong with it."""

    actions: tuple[Action, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


def parse(parts: Iterable[str | Later | Secret]) -> Parsed:
    """Read a boot command; its texts are joined as they are, as Packer does.

    A variable that has no value yet stands for some text.
    """
    found: list[Action | Mistake] = []
    text, offset = "", 0
    for part in _single(parts):
        if isinstance(part, Secret):
            found += _Reader(text, offset).read()
            found.append(TypeSecret(part))
            text, offset = "", offset + len(text)
        else:
            text += "x" if isinstance(part, Later) else part
    found += _Reader(text, offset).read()
    mistakes = tuple(item for item in found if isinstance(item, Mistake))
    return Parsed(tuple(item for item in found if not isinstance(item, Mistake)), mistakes)


def parse_steps(steps: Sequence[BootStep]) -> Iterable[Action]:
    """The actions of steps, each after a :class:`Begin` that tells of it."""
    for number, step in enumerate(steps, 1):
        yield Begin(description=step.description, number=number, total=len(steps))
        yield from parse(step.command).actions


def _single(parts: Iterable[str | Later | Secret]) -> Iterable[str | Later | Secret]:
    """Texts that were put together, each part alone: among them may be secrets."""
    for part in parts:
        yield from map(_plain, part.parts) if isinstance(part, Joined) else (part,)


def _plain(part: object) -> str | Later | Secret:
    return part if isinstance(part, (str, Later, Secret)) else as_text(part)


def seconds_of(text: str) -> float | None:
    """``90``, ``1m30s``, ``1.5s``, ``-2s`` as seconds; ``None`` when it is no duration (Go's notation)."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    if found["seconds"] is not None:
        amount = float(found["seconds"])
    else:
        pieces = re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", found["parts"])
        amount = sum(float(number) * _UNITS[unit] for number, unit in pieces)
    return -amount if found["sign"] == "-" else amount


@attrs.define
class _Reader:
    """Reads one piece of text from left to right."""

    text: str
    offset: int
    place: int = 0

    def read(self) -> list[Action | Mistake]:
        found: list[Action | Mistake] = []
        while self.place < len(self.text):
            start = self.place
            found.append(self._token() if self.text[start] == "<" else self._character())
        return found

    def _character(self) -> Action | Mistake:
        character = self.text[self.place]
        self.place += 1
        key = key_of(character)
        if key is not None:
            return Press(key)
        self.place -= 1
        return self._mistake(character, "no key of a US keyboard types it", "type it in another way, inside the guest")

    def _token(self) -> Action | Mistake:
        long = _WAIT_FOR.match(self.text, self.place)
        if long is not None:
            return self._wait_for(long)
        short = _TOKEN.match(self.text, self.place)
        if short is None:
            return self._mistake("<", "begins a token that does not end", _LITERAL)
        name, whole = short["name"], short[0]
        if name.startswith("wait for"):
            return self._mistake(
                whole, "is no way to wait for a text", 'write <wait for "text"> or <wait for "text" 5m>'
            )
        if name.startswith("wait"):
            return self._wait(name.removeprefix("wait"), whole)
        action = _named(name)
        if action is None:
            return self._mistake(whole, "is no key or token", _near(name))
        self.place += len(whole)
        return action

    def _wait(self, amount: str, whole: str) -> Action | Mistake:
        seconds = seconds_of(amount) if amount else 1.0
        if seconds is None:
            return self._mistake(whole, "is no time to wait", "write <wait>, <wait5> or <wait1m30s>")
        if seconds <= 0:
            return self._mistake(whole, "waits no time", "use a duration above 0")
        self.place += len(whole)
        return Wait(seconds)

    def _wait_for(self, found: re.Match[str]) -> Action | Mistake:
        text = re.sub(r"\\(.)", r"\1", found["text"])
        limit = None if found["limit"] is None else seconds_of(found["limit"])
        if not text.strip():
            return self._mistake(found[0], "waits for no text", 'write <wait for "text">')
        if found["limit"] is not None and (limit is None or limit <= 0):
            return self._mistake(found[0], "has no time limit that can be understood", "write it like 90, 90s or 5m")
        self.place = found.end()
        return WaitFor(text, limit)

    def _mistake(self, seen: str, what: str, fix: str) -> Mistake:
        at = self.offset + self.place + 1
        self.place += len(seen)
        return Mistake(at=at, seen=seen, what=what, fix=fix)


def _named(name: str) -> Action | None:
    """A key, a held or released key, or one of our own tokens."""
    lower = name.lower()
    if lower in FILLS:
        return Fill(lower)
    if lower == "lt":
        return Press(Key("comma", shift=True))
    if lower in _SPECIAL:
        return Press(Key(_SPECIAL[lower]))
    for ending, kind in (("on", Hold), ("off", Release)):
        key = _held(name[: -len(ending)]) if lower.endswith(ending) else None
        if key is not None:
            return kind(key)
    return None


def _held(name: str) -> Key | None:
    special = _SPECIAL.get(name.lower())
    return Key(special) if special is not None else key_of(name)


def _near(name: str) -> str:
    lower = name.lower()
    stem = re.sub(r"(on|off)$", "", lower)
    ending = name[len(stem) :]
    known = {word.lower(): word for word in _WORDS}
    for wanted, suffix in ((stem, ending), (lower, "")):
        near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
        if near:
            return f"did you mean <{known[near[0]]}{suffix}>? {_LITERAL}"
    return _LITERAL
