"""Looks whether it is true."""

from __future__ import annotations

import re
import time

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import CheckError, CommunicatorError, Disconnected
from packerpy.kit.process import last_lines
from packerpy.provisioners.check.specs import Check
from packerpy.values import Command, Completed, Machine

_PAUSE = 0.5
"""Seconds between two tries; what the command looks at is inside the machine, which has no event for us."""


class CheckWorker(Provisioner):
    """Runs the command until it ends as expected, or the time for that is up."""

    def __init__(self, spec: Check) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        command = Command(line=self._spec.command, sudo=self._spec.sudo, timeout=self._spec.timeout)
        deadline = time.monotonic() + self._spec.retry_for
        while True:
            try:
                done = channel.run(command)
            except Disconnected:
                raise
            except CommunicatorError as error:
                raise CheckError(f"the check `{self._spec.command}` could not be made", details=str(error)) from error
            wrong = self._wrong(done)
            if wrong is None or time.monotonic() >= deadline:
                break
            run.wait(_PAUSE)
        _show(run, done)
        if wrong is not None:
            raise self._failed(wrong, done)

    def _wrong(self, done: Completed) -> str | None:
        spec = self._spec
        if spec.exit_status is not None and done.exit_status != spec.exit_status:
            return f"it ended with exit code {done.exit_status}, not {spec.exit_status}"
        if isinstance(spec.stdout, re.Pattern) and not spec.stdout.search(done.stdout):
            return f"nothing in its output matches {spec.stdout.pattern!r}"
        if isinstance(spec.stdout, str) and spec.stdout not in done.stdout:
            return f"its output does not contain {spec.stdout!r}"
        return None

    def _failed(self, wrong: str, done: Completed) -> CheckError:
        said = last_lines(done.stdout + done.stderr) or "(it printed nothing)"
        tried = f", tried for {self._spec.retry_for:g} s" if self._spec.retry_for else ""
        return CheckError(f"`{self._spec.command}`: {wrong}{tried}", details=f"its output:\n{said}")


def _show(run: Run, done: Completed) -> None:
    for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        if text:
            run.output(stream, text if text.endswith("\n") else text + "\n")
