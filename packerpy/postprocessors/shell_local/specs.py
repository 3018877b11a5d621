"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import Place
from packerpy.declare.values import Text
from packerpy.kit.scripts import HostScript, script_list
from packerpy.values import Support

if TYPE_CHECKING:
    from packerpy.postprocessors.shell_local.worker import Worker


@declaration(init=False)
class ShellLocal(HostScript, PostProcessorSpec):
    """Run commands, or scripts, on the host, told by their environment what was built.

    The lines are one script, run by ``/bin/sh -e``, which ends at the first that fails. They find, beside the host's
    own environment: ``PACKERPY_ARTIFACT``, a JSON object with the artifact's ``id``, ``kind``, ``builder_id``,
    ``files``, ``outputs`` and ``facts``; ``PACKERPY_OUTPUT``, the folder for new files, which becomes the build's
    results (an :class:`Artifice` after this adopts them); ``PACKERPY_BUILD_NAME`` and ``PACKERPY_RUN``; and what
    scripts written for Packer look for, ``PACKER_BUILD_NAME`` and ``PACKER_BUILDER_TYPE``. The artifact goes on as it
    is; its files are not to be changed.

    :param lines: lines of one script; a first line that starts with ``#!`` chooses the interpreter.
    :param script: a script file of the host; or
    :param scripts: several, run in order.
    :param env: environment variables. Secrets in them, and in lines, are in no process list and in no output.
    :param interpreter: what runs it; by default ``/bin/sh -e`` for lines, what a script's ``#!`` names, or ``/bin/sh``.
    :param only_on: systems to run on (``linux``, ``darwin``, ``windows``, …); on another one nothing is done.
    :param valid_exit_codes: exit codes that mean success.
    :param folder: where it runs; by default where packerpy does.
    :param timeout: seconds after which each script is killed, with all that it started; ``None`` is no limit.
    :param keep_input: has no say: the artifact is the input and stays.
    """

    kind: ClassVar[str] = "shell-local"
    support: ClassVar[tuple[Support, ...]] = (Support("`ShellLocal` as post-processor", "the host's `/bin/sh`", "run"),)
    keeps_input: ClassVar[bool] = True

    keep_input: bool | None = attrs.field(default=None, kw_only=True)

    def __init__(
        self,
        *lines: Text | Iterable[Text],
        inline: Iterable[Text] = (),
        script: Place | None = None,
        scripts: Place | Iterable[Place] = (),
        env: Mapping[str, Text] | None = None,
        interpreter: str | None = None,
        only_on: str | Iterable[str] = (),
        valid_exit_codes: Iterable[int] = (0,),
        folder: Place | None = None,
        timeout: float | None = None,
        keep_input: bool | None = None,
    ) -> None:
        self.__attrs_init__(
            (*lines, inline),
            scripts=script_list(script, scripts),
            env=env,
            interpreter=interpreter,
            only_on=only_on,
            valid_exit_codes=valid_exit_codes,
            folder=folder,
            timeout=timeout,
            keep_input=keep_input,
        )

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.shell_local.worker import Worker

        return Worker(self)
