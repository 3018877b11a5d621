"""What all commands of one channel share: the wire, the folder in the machine, what the machine can do."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from packerpy.communicators.agent import guest_script
from packerpy.communicators.agent.guest_script import User
from packerpy.communicators.agent.wire import AgentRefused, Ask, Check, Wire, decoded
from packerpy.contracts import Cancellation, Run
from packerpy.errors import CommunicatorError, Disconnected

_RUN = "/run/packerpy/exec"
"""In memory on every current Linux; never part of a captured disk."""

_LITTER = (32, 4 << 20)
"""Files, and bytes, of ended commands that are left in the machine's memory until they are removed together."""

_PAUSE = 0.02
"""Seconds between two looks at one of our own short scripts."""


class AgentSession:
    """Lasts from one start of the machine to the next.

    :param known: what a session with the machine that this one is a clone of told (:attr:`known`): it has the same
        folder in its memory, so that nothing needs to be run in it before the first command.
    """

    def __init__(
        self, wire: Wire, run: Run, check_alive: Check, user: str | None, known: Mapping[str, str] | None = None
    ) -> None:
        self.wire, self._run, self.check_alive = wire, run, check_alive
        self.name = secrets.token_hex(6)
        self._lock = threading.Lock()
        self._count = 0
        self._litter: list[str] = []
        self._bytes = 0
        self.resumed = known is not None and known.get("user") == (user or "root")
        self.known = known if known is not None and self.resumed else self._prepared(user)
        self.folder = self.known["folder"]
        said = self.known["said"].splitlines()
        self.boot = said[0] if said else ""
        self.abilities = frozenset(said[1].split() if len(said) > 1 else ())
        self.user = _user(user, said[2:])
        needed = "setpriv" if self.user.ids else "setsid"
        if "setsid" not in self.abilities or needed not in self.abilities:
            raise CommunicatorError(f"the machine has no {needed}", resolution="install util-linux in it, or use SSH()")

    def _prepared(self, user: str | None) -> Mapping[str, str]:
        """Make the folder, and ask what is there."""
        folder = f"{_RUN}/{self.name}"
        return {"folder": folder, "user": user or "root", "said": self.capture(guest_script.prepare(folder, user))}

    @property
    def cancellation(self) -> Cancellation:
        """What ends commands now: the run's, or that of a step with a limit of time."""
        return self._run.cancellation

    def check(self) -> None:
        """Of waiting for something short: a cancel, or the end of the machine, ends it."""
        self.cancellation.check()
        self.check_alive()

    def new_name(self) -> str:
        """For a file of this session; a clone's has the files of the saved one in its folder."""
        with self._lock:
            self._count += 1
            return f"{self.name}-{self._count}"

    def capture(self, script: str) -> str:
        """Run a short script of ours to its end; answers what it printed.

        :raises CommunicatorError: it cannot be started, or fails.
        """
        run = {"path": guest_script.SHELL, "arg": ["-c", script], "capture-output": True}
        run["env"] = [f"PATH={guest_script.PATH}"]
        try:
            pid = self.wire.ask(Ask("guest-exec", run), check=self.check)[0]["pid"]
        except AgentRefused as error:
            error.resolution = (
                "the agent must be allowed to run programs: look for a list of blocked RPCs in its settings"
            )
            raise
        while not (state := self.wire.ask(Ask("guest-exec-status", {"pid": pid}), check=self.check)[0])["exited"]:
            time.sleep(_PAUSE)  # the agent has no event for it
        if state.get("exitcode") != 0:
            said = decoded(state.get("err-data", "")).decode(errors="replace").strip()
            raise CommunicatorError("a script of packerpy failed in the machine", details=said or str(state))
        return decoded(state.get("out-data", "")).decode(errors="replace")

    def start(self, script: str, *, check: Check | None = None) -> None:
        """Have the agent start a short script of ours, and wait for nothing."""
        run: dict[str, Any] = {"path": guest_script.SHELL, "arg": ["-c", script], "env": [f"PATH={guest_script.PATH}"]}
        self.wire.post(Ask("guest-exec", run), check=check or self.check_alive)

    def discard(self, base: str, *, size: int) -> None:
        """Remove the output files of a command that has ended, some time."""
        with self._lock:
            self._litter += [f"{base}.out", f"{base}.err"]
            self._bytes += size
            if len(self._litter) < _LITTER[0] and self._bytes < _LITTER[1]:
                return
            files, self._litter, self._bytes = self._litter, [], 0
        with suppress(CommunicatorError):
            self.start(f"rm -f {' '.join(files)}")

    def abandon(self) -> None:
        """Another session takes its place on the same wire."""
        with suppress(CommunicatorError):
            self.start(f"rm -rf {self.folder}")

    def close(self) -> None:
        """Remove what is left in the machine, if it still listens."""
        deadline = time.monotonic() + 1.0

        def check() -> None:
            if time.monotonic() > deadline:
                raise Disconnected("the guest agent does not answer")

        with suppress(CommunicatorError):
            run = {"path": guest_script.SHELL, "arg": ["-c", f"rm -rf {self.folder}"]}
            self.wire.ask(Ask("guest-exec", {**run, "env": [f"PATH={guest_script.PATH}"]}), check=check)


def _user(name: str | None, said: list[str]) -> User:
    if name is None or name == "root":
        return User()
    if len(said) < 3 or not (said[0].isdecimal() and said[1].isdecimal()):
        raise CommunicatorError(
            f"the machine has no user {name!r}", resolution="make it in an earlier image, or leave user= out"
        )
    return User(name=name, home=said[2] or "/", ids=(int(said[0]), int(said[1])))
