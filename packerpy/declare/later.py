"""What stands for a value that is known only later; typed references take the place of string templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from packerpy.errors import DeclarationError

if TYPE_CHECKING:
    _Anything = Any
else:
    _Anything = object


# For a type checker it fits into every field, as its value may.
class Later(_Anything):  # type: ignore[misc]
    """A value that is not known yet where it is declared; the engine puts the value into the field that holds it.

    Variables, values of data sources and values of the build itself are such. One may stand in every field of every
    declaration, whatever the field's type: also in the place of a number, a truth value, or a whole list. Its value
    becomes what it would have become if it had been given itself; one of a wrong type is a problem of that field.
    """

    __slots__ = ()

    if not TYPE_CHECKING:
        __iter__ = None  # what has __getitem__ would else be taken for an endless sequence

    @property
    def shown(self) -> str:
        """What people see in its place until it is known: ``{release}``."""
        return "{" + type(self).__name__ + "}"

    @property
    def from_caller(self) -> bool:
        """Whether the caller's values settle it: variables do, and what is made of them."""
        return False

    def __str__(self) -> str:
        """Inside an f-string it would be frozen too early, so it says so."""
        raise DeclarationError(
            f"{self.shown} was put into a string before it has a value",
            resolution="give it to the field itself; compose texts with packerpy.text('release-', variable)",
        )

    def __format__(self, spec: str) -> str:
        return str(self)


class Composed(Later):
    """Something made of values of which some are known only later."""

    __slots__ = ()

    def settled(self) -> Any:
        """What it comes to once all its parts are known; itself before that."""
        return self


@attrs.frozen
class Joined(Composed):
    """Texts one after another; made by :func:`text`."""

    parts: tuple[Any, ...]

    @property
    def from_caller(self) -> bool:
        """If all its parts are."""
        return all(part.from_caller for part in self.parts if isinstance(part, Later))

    @property
    def shown(self) -> str:
        """The parts, secrets not at all."""
        return "".join(shown_text(part) for part in self.parts)

    def settled(self) -> Any:
        """The text; secrets are known only to the step that uses them."""
        return "".join(map(as_text, self.parts)) if all(isinstance(p, _PLAIN) for p in self.parts) else self


@attrs.frozen
class Computed(Composed):
    """What a function makes of values; made by :func:`computed`."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    @property
    def from_caller(self) -> bool:
        """If all its arguments are."""
        return all(argument.from_caller for argument in self.arguments if isinstance(argument, Later))

    @property
    def shown(self) -> str:
        """The function's name and what it is given."""
        name = getattr(self.function, "__name__", "computed")
        return f"{name}({', '.join(map(shown_text, self.arguments))})"

    def settled(self) -> Any:
        """What the function answers.

        :raises DeclarationError: it raised.
        """
        if any(isinstance(argument, Later) for argument in self.arguments):
            return self
        try:
            return self.function(*self.arguments)
        except Exception as error:
            raise DeclarationError(f"computing {self.shown} raised {type(error).__name__}: {error}") from error


_PLAIN = (str, int, float)


def text(*parts: Any) -> Joined:
    """A text made of several, for any field that takes text: ``text("https://", host, "/", git["commit"])``.

    :param parts: texts, numbers, variables, secrets, values of data sources and of the build.
    """
    return Joined(parts)


def computed(function: Callable[..., Any], *arguments: Any) -> Computed:
    """What ``function`` answers for some values once they are known: ``computed(str.upper, release)``.

    It takes the place of Packer's locals. It should be pure: what it answers is what decides keys.

    :param arguments: variables, values of data sources and of the build, plain values; no secrets.
    :raises DeclarationError: an argument is a secret; it could not be kept one.
    """
    if any(type(argument).__name__ == "Secret" for argument in arguments):
        raise DeclarationError("nothing can be computed from a secret", resolution="compose texts with packerpy.text()")
    return Computed(function, arguments)


def as_text(value: object) -> str:
    """A plain value as text: truth as ``true`` and ``false``, the rest as Python prints it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown_text(value: object) -> str:
    """A field for people: what is not known yet by name, secrets not at all."""
    return value.shown if isinstance(value, Later) else as_text(value)
