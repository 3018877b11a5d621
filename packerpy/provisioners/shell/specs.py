"""What to run, as declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import Place
from packerpy.declare.values import Text
from packerpy.kit.scripts import Script, no_time, script_list
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner


@declaration(init=False)
class Shell(Script, ProvisionerSpec):
    """Runs commands, or scripts of the host, in the machine.

    ``Shell("apt-get update", "apt-get install -y nginx", sudo=True)``: the lines are one script, which ends at the
    first that fails. Exactly one of lines, ``script`` and ``scripts`` is given.

    :param lines: lines of one script; a first line that starts with ``#!`` chooses the interpreter.
    :param script: a script file of the host.
    :param scripts: several, run in order.
    :param env: environment variables; never visible in a process list. What scripts written for Packer find there is
        given on demand: ``env={"PACKER_BUILD_NAME": packerpy.this_build.name}``; a step that is not told the name of
        its build can be shared by several.
    :param sudo: run as root.
    :param interpreter: what runs it. By default lines are run by ``/bin/sh -e`` (as Packer does), scripts by what
        their ``#!`` names, else by ``/bin/sh``.
    :param valid_exit_codes: exit codes that mean success.
    :param remote_folder: where the script lies in the machine while it runs.
    :param expect_disconnect: it restarts the machine, or its network: wait for the machine to come back.
    :param reconnect_timeout: seconds for that; Packer's ``start_retry_timeout`` of 5 minutes.
    :param timeout: seconds after which it is killed, with all that it started; ``None`` is no limit.
    :param pty: give it a terminal.
    """

    kind: ClassVar[str] = "shell"
    support: ClassVar[tuple[Support, ...]] = (Support("`Shell`", "OpenSSH server; Debian 12 guests and trees", "run"),)

    sudo: bool = attrs.field(kw_only=True)
    interpreter: str | None = attrs.field(kw_only=True)
    remote_folder: str = attrs.field(kw_only=True)
    expect_disconnect: bool = attrs.field(kw_only=True)
    reconnect_timeout: float = attrs.field(kw_only=True)
    timeout: float | None = attrs.field(kw_only=True)
    pty: bool = attrs.field(kw_only=True)

    def __init__(
        self,
        *lines: Text | Iterable[Text],
        inline: Iterable[Text] = (),
        script: Place | None = None,
        scripts: Place | Iterable[Place] = (),
        env: Mapping[str, Text] | None = None,
        sudo: bool = False,
        interpreter: str | None = None,
        valid_exit_codes: Iterable[int] = (0,),
        remote_folder: str = "/tmp",  # noqa: S108  in the machine, and the script gets an unguessable name
        expect_disconnect: bool = False,
        reconnect_timeout: float = 300.0,
        timeout: float | None = None,
        pty: bool = False,
    ) -> None:
        self.__attrs_init__(
            (*lines, inline),
            scripts=script_list(script, scripts),
            env=env,
            valid_exit_codes=valid_exit_codes,
            sudo=sudo,
            interpreter=interpreter,
            remote_folder=remote_folder,
            expect_disconnect=expect_disconnect,
            reconnect_timeout=reconnect_timeout,
            timeout=timeout,
            pty=pty,
        )

    def check(self) -> Iterable[Problem]:
        """Also times, folder and interpreter."""
        yield from super().check()
        yield from no_time(self.timeout, "timeout")
        yield from no_time(self.reconnect_timeout, "reconnect_timeout")
        if not self.remote_folder.startswith("/"):
            yield Problem(where="remote_folder", what="not an absolute path", seen=self.remote_folder)
        if self.interpreter is not None and not self.interpreter.strip():
            yield Problem(where="interpreter", what="is empty", fix="leave it out, or name a program")

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.shell.worker import ShellWorker

        return ShellWorker(self)
