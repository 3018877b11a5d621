"""The declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.kit.scripts import HostScript
from packerpy.values import Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner


@declaration(init=False)
class ShellLocal(HostScript, ProvisionerSpec):
    """Runs commands, or scripts, on the host while the machine runs. They end with the build, whatever they start.

    The lines are one script, which ends at the first that fails. Beside the host's own environment they find
    ``PACKERPY_BUILD_NAME``, ``PACKERPY_RUN``, ``PACKER_BUILD_NAME`` and how to reach the machine: ``PACKERPY_HOST``,
    ``PACKERPY_PORT``, ``PACKERPY_USER`` and ``PACKERPY_KEY_FILE``.

    :param lines: lines of one script; a first line that starts with ``#!`` chooses the interpreter.
    :param script: a script file of the host; or
    :param scripts: several, run in order.
    :param env: environment variables. Secrets in them, and in lines, are in no process list and in no output.
    :param interpreter: what runs it; by default ``/bin/sh -e`` for lines, what a script's ``#!`` names, or ``/bin/sh``.
    :param only_on: systems to run on (``linux``, ``darwin``, ``windows``); on another one nothing is done.
    :param valid_exit_codes: exit codes that mean success.
    :param folder: where it runs; by default where packerpy does.
    :param timeout: seconds after which each script is killed, with all that it started; ``None`` is no limit.
    """

    kind: ClassVar[str] = "shell-local"
    support: ClassVar[tuple[Support, ...]] = (Support("`ShellLocal` as step", "the host's `/bin/sh`", "run"),)

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.shell_local.worker import ShellLocalWorker

        return ShellLocalWorker(self)
