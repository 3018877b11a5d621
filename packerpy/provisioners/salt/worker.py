"""The worker."""

from __future__ import annotations

import json
import shlex
from pathlib import PurePosixPath
from typing import Any

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.kit.process import last_lines
from packerpy.provisioners.common import command_line, perform, plain, staging, upload, upload_text
from packerpy.provisioners.packages import Packages
from packerpy.provisioners.salt.specs import Salt
from packerpy.values import Command, Machine


class SaltWorker(Provisioner):
    """A minion of its own, whose every folder lies in one private folder of the machine, gone when the step ends."""

    def __init__(self, spec: Salt) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        with staging(run, channel) as place:
            self._install(run, machine, channel, place)
            self._send(run, channel, place)
            self._call(run, channel, place)

    def _install(self, run: Run, machine: Machine, channel: Communicator, place: PurePosixPath) -> None:
        spec = self._spec
        if spec.install is None or channel.run(Command(line=f"command -v {shlex.quote(spec.command)}")).ok:
            return
        if spec.install == "package":
            Packages("salt-minion").load().apply(run, machine, channel)
        elif spec.script is not None:
            script = place / "install.sh"
            upload(channel, spec.script, script)
            line = command_line(["/bin/sh", script, *spec.script_arguments])
            perform(run, channel, Command(line=line, sudo=True), f"the script {spec.script.name}")

    def _send(self, run: Run, channel: Communicator, place: PurePosixPath) -> None:
        """States, pillar, and the configuration that names them."""
        spec = self._spec
        upload(channel, spec.states, place / "states")
        if spec.pillar_folder is not None:
            upload(channel, spec.pillar_folder, place / "pillar")
        minion = place / "conf" / "minion"
        if spec.minion_config is not None:
            upload(channel, spec.minion_config, minion)
        else:
            upload_text(run, channel, "{}", minion)  # without this file Salt does not look for what lies beside it
        own: dict[str, Any] = {
            "file_client": "local",
            "file_roots": {"base": [str(place / "states")]},
            "pillar_roots": {"base": [str(place / "pillar")]},
            "root_dir": str(place / "root"),
        }
        if spec.pillar:
            values = place / "pillar.json"
            upload_text(run, channel, json.dumps(plain(run, spec.pillar)), values)
            own["ext_pillar"] = [{"cmd_json": f"cat {values}"}]
        if spec.grains:
            upload_text(run, channel, json.dumps(plain(run, spec.grains)), place / "conf" / "grains")
        # Salt reads JSON, which is YAML, and what stands in minion.d wins over the file itself.
        upload_text(run, channel, json.dumps(own), place / "conf" / "minion.d" / "zz-packerpy.conf")

    def _call(self, run: Run, channel: Communicator, place: PurePosixPath) -> None:
        spec = self._spec
        argv = [spec.command, "--local", f"--config-dir={place / 'conf'}", "--retcode-passthrough", "--no-color"]
        argv += [f"--log-level={spec.log_level}", "--state-output=mixed", *spec.options, "state.apply"]
        argv += [",".join(spec.apply)] if spec.apply else []
        done = channel.run(Command(line=command_line(argv), sudo=spec.sudo), sink=run.output)
        if done.exit_status == 127:
            raise ProvisionError(
                f"the machine has no program {spec.command!r}",
                resolution='give install="package", or install="script" with script=',
            )
        if not done.ok:
            raise ProvisionError(
                f"{spec.title} ended with exit code {done.exit_status}", details=_failures(done.stdout, done.stderr)
            )


def _failures(stdout: str, stderr: str) -> str:
    """The states that failed, each with its comment, and the summary."""
    blocks = stdout.replace("\r\n", "\n").split("----------\n")
    failed = [block.rstrip() for block in blocks if "Result: False" in block]
    summary = stdout.partition("Summary for")
    parts = [*failed, (summary[1] + summary[2]).strip()]
    return "\n".join(part for part in parts if part) or last_lines(stdout + stderr)
