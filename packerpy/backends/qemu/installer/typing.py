"""Typing a boot command into a guest, and waiting for what it shows."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial

import attrs

from packerpy.backends.qemu import diagnosis
from packerpy.backends.qemu.errors import GuestGone, NeverShown
from packerpy.backends.qemu.guest import Guest
from packerpy.backends.qemu.installer import screen
from packerpy.contracts import Run
from packerpy.errors import SourceError
from packerpy.kit.boot_command import Action, Begin, Fill, Hold, Key, Press, Release, TypeSecret, Wait, WaitFor, key_of
from packerpy.kit.qmp import QmpClosed
from packerpy.kit.qmp_keyboard import Keyboard

WAIT_FOR = 300.0
"""Seconds that a text may take to show where the command does not say; a guess of ours, Packer has nothing like it."""
_LOOK = 0.5
"""Seconds between two looks at the screen, for which QEMU has no event; the console tells by itself."""


@attrs.define(kw_only=True)
class Typist:
    """Carries out actions, in order.

    :ivar fills: what :class:`Fill` stands for, by name.
    """

    run: Run
    guest: Guest
    interval: float
    fills: Mapping[str, str]
    _seen: int = 0

    def perform(self, actions: Iterable[Action]) -> None:
        """Do them all.

        :raises NeverShown: a text that is waited for does not come.
        :raises GuestGone: the machine ended meanwhile.
        """
        keyboard = Keyboard(self.guest.qmp, self.run.wait, self.interval)
        try:
            for action in actions:
                self._do(keyboard, action)
        except QmpClosed as error:
            raise self._gone() from error

    def _do(self, keyboard: Keyboard, action: Action) -> None:
        match action:
            case Press(key):
                keyboard.press(key)
            case Hold(key):
                keyboard.hold(key)
            case Release(key):
                keyboard.release(key)
            case Wait(seconds):
                self.run.wait(seconds)
            case WaitFor():
                self._wait_for(action)
            case Fill(name):
                self._type(keyboard, self.fills[name], name)
            case Begin():
                self._tell(action)
            case TypeSecret(secret):
                self._type(keyboard, self.run.reveal(secret), "the secret")

    def _tell(self, step: Begin) -> None:
        self.run.progress(step.number - 1, step.total, "boot steps")
        if step.description:
            self.run.say(f"boot step {step.number} of {step.total}: {step.description}")

    def _type(self, keyboard: Keyboard, text: str, what: str) -> None:
        for character in text:
            keyboard.press(_key(character, what))

    def _wait_for(self, wanted: WaitFor) -> None:
        limit = wanted.timeout if wanted.timeout is not None else WAIT_FOR
        self.run.say(f"waiting for {wanted.text!r} to show")
        woken = threading.Event()
        self.guest.console.listen(woken.set)
        self.guest.qmp.listen(woken.set)
        deadline = time.monotonic() + limit
        with self.run.cancellation.calling(woken.set):
            while not self._shows(wanted.text):
                self.run.cancellation.check()
                if self.guest.died() is not None:
                    if self._shows(wanted.text):  # among its last words
                        return
                    raise self._gone()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._never(wanted.text, limit)
                woken.wait(min(_LOOK, left))
                woken.clear()

    def _shows(self, text: str) -> bool:
        """On the console only what came after the last text that was waited for counts; on the screen, all of it."""
        mark = self.guest.console.mark()
        place = self.guest.console.after(self._seen, partial(contains, wanted=text))
        if place is None and contains(screen.read(self.guest, self.run.cancellation), text):
            place = mark
        if place is None:
            return False
        self._seen = place
        return True

    def _gone(self) -> GuestGone:
        return GuestGone(self.guest.died() or "QEMU ended", diagnosis.report(self.run, self.guest))

    def _never(self, text: str, limit: float) -> NeverShown:
        shown = screen.read(self.guest, self.run.cancellation)
        if shown:
            told = f"text on its screen:\n{shown}"
        elif shutil.which(screen.OCR) is None:
            told = "its screen is graphic, which is read only where the host has tesseract"
        else:
            told = "no text was recognised on its screen"
        return NeverShown(text, limit, f"{told}\n{diagnosis.report(self.run, self.guest)}")


def contains(shown: str, wanted: str) -> bool:
    """Whether a text holds another; blanks and line breaks do not count, for screens break lines anywhere."""
    return "".join(wanted.split()) in "".join(shown.split())


def _key(character: str, what: str) -> Key:
    key = key_of(character)
    if key is None:
        raise SourceError(
            f"{what} holds a character that no key of a US keyboard types",
            resolution="use letters, digits and punctuation of ASCII only",
        )
    return key
