"""Questions to the user in the middle of a build."""

from __future__ import annotations

import sys
import threading

from packerpy.cli.guest_shell import open_shell
from packerpy.cli.render import Renderer
from packerpy.cli.text import clean
from packerpy.execute.asking import Answer, Failure, Stop, on_terminal

_ANSWERS: dict[str, Answer] = {"c": "clean", "a": "abort", "r": "retry"}


class Asker:
    """Asks on the terminal, one question at a time, while the progress display stands still."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer, self._lock = renderer, threading.Lock()

    def failure(self, failure: Failure) -> Answer:
        """What to do about a failure; the end of input means to clean up."""
        choices = "[c]lean up, [a]bort and leave everything"
        choices += ", [r]etry" if failure.can_retry else ""
        with self._lock, self._renderer.paused():
            _tell(f"{failure.build}: {failure.task} failed: {clean(str(failure.error))}")
            while True:
                letter = self._letter(choices, failure)
                answer: Answer | None = "clean" if letter is None else _ANSWERS.get(letter)
                if answer is not None and (answer != "retry" or failure.can_retry):
                    return answer

    def stop(self, stop: Stop) -> bool:
        """Whether to go on; the end of input means no."""
        with self._lock, self._renderer.paused():
            _tell(f"{stop.build}: stopped at {stop.task}: {clean(stop.title)}")
            while True:
                letter = self._letter("[Enter] to go on, [a]bort", stop)
                if letter in (None, "a", ""):
                    return letter == ""

    def secret(self, prompt: str) -> str | None:
        """A text that is not shown while it is typed; ``None`` without a terminal."""
        with self._lock, self._renderer.paused():
            return on_terminal(prompt)

    def _letter(self, choices: str, about: Failure | Stop) -> str | None:
        """The first letter of an answer, after as many shells as are wanted; ``None`` at the end of input."""
        if about.machine is not None:
            choices += ", [s]hell in the machine"
        while True:
            try:
                letter = input(f"{choices}? ").strip().lower()[:1]
            except EOFError:
                return None
            if letter != "s" or about.machine is None or about.reach is None:
                return letter
            open_shell(about.machine, about.reach)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
