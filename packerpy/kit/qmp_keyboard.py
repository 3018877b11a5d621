"""A keyboard for a machine in QEMU, by way of its machine protocol."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from packerpy.kit.boot_command.keys import Key
from packerpy.kit.qmp import Qmp

_SHIFT = "shift"


@attrs.frozen
class Keyboard:
    """Presses keys one after the other.

    :ivar qmp: the machine.
    :ivar wait: pauses for so many seconds and raises when cancelled: ``run.wait``.
    :ivar interval: seconds from one key to the next; half of it a key is down. Firmware polls its keyboard, and loses
        what comes faster.
    """

    qmp: Qmp
    wait: Callable[[float], None]
    interval: float

    def press(self, key: Key) -> None:
        """Press a key and let it go.

        :raises packerpy.kit.qmp.QmpError: QEMU is gone or has no such key.
        """
        self.hold(key)
        self.wait(self.interval / 2)
        self.release(key)
        self.wait(self.interval / 2)

    def hold(self, key: Key) -> None:
        """Press a key and keep it down."""
        self._send(*((_SHIFT, key.name) if key.shift else (key.name,)), down=True)

    def release(self, key: Key) -> None:
        """Let a key go."""
        self._send(*((key.name, _SHIFT) if key.shift else (key.name,)), down=False)

    def _send(self, *names: str, down: bool) -> None:
        events = [{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}} for name in names]
        self.qmp.execute("input-send-event", events=events)
