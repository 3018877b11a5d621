"""Answering what a server asks when a user logs in (the method ``keyboard-interactive``)."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Sequence

import attrs


@attrs.define(kw_only=True)
class Dialogue:
    """Knows some answers, and may ask a person for the others.

    :ivar answers: a part of the question, in any case → tells what to say; the first that fits.
    :ivar password: said where a password is asked for and no answer fits.
    :ivar ask: asks a person, with the question and whether what is typed may be seen.
    :ivar unanswered: questions to which nothing was said.
    """

    answers: tuple[tuple[str, Callable[[], str]], ...] = attrs.field(default=(), repr=False)
    password: str | None = attrs.field(default=None, repr=False)
    ask: Callable[[str, bool], str] | None = None
    unanswered: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return "answers to its questions"

    def __call__(self, title: str, instructions: str, questions: Sequence[tuple[str, bool]]) -> list[str]:
        """One answer for each question; what the library calls, in a thread of its own."""
        return [self._answer(question, echo) for question, echo in questions]

    def _answer(self, question: str, echo: bool) -> str:
        known = [answer for part, answer in self.answers if part.casefold() in question.casefold()]
        if known:
            return known[0]()
        if self.password is not None and "password" in question.casefold():
            return self.password
        if self.ask is not None:
            return self.ask(question, echo)
        self.unanswered.append(question.strip())
        return ""


def at_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def ask_person(question: str, echo: bool) -> str:
    """Ask at the terminal."""
    return input(question) if echo else getpass.getpass(question)
