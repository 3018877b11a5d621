"""The workers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.declare.values import Text
from packerpy.errors import ProvisionError
from packerpy.kit.process import last_lines
from packerpy.provisioners.common import command_line, staging, texts_of, upload
from packerpy.provisioners.puppet.specs import Puppet, PuppetServer
from packerpy.values import Command, Machine

_UNCHANGED, _CHANGED = 0, 2
_FAILURES = (4, 6)
_MEANING = {
    1: "the manifest could not be compiled, or the catalogue not fetched",
    4: "some resources failed",
    6: "some resources failed, others were changed",
    127: "there is no such program in the machine",
}
"""What ``--detailed-exitcodes`` means by its codes."""


class PuppetWorker(Provisioner):
    """Everything lies in one private folder of the machine, gone when the step ends."""

    def __init__(self, spec: Puppet) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        with staging(run, channel) as place:
            argv = [spec.command, "apply", "--detailed-exitcodes", "--color=false"]
            argv += [f"--modulepath={':'.join(self._send_modules(channel, place))}"] if spec.modules else []
            argv += [f"--hiera_config={self._send_hiera(channel, place)}"] if spec.hiera_config else []
            manifest = place / "manifests" / spec.manifest.name
            upload(channel, spec.manifest, manifest)
            env = {**_facts(run, spec.facts), **texts_of(run, spec.environment_variables)}
            _run(run, channel, spec, Command(line=command_line([*argv, *spec.options, manifest]), env=env))

    def _send_modules(self, channel: Communicator, place: PurePosixPath) -> list[str]:
        """Upload them; answers where they are, and where the machine's own may be."""
        targets = [place / f"modules-{number}" for number in range(len(self._spec.modules))]
        for source, target in zip(self._spec.modules, targets, strict=True):
            upload(channel, source, target)
        return [*map(str, targets), "/etc/puppetlabs/code/modules", "/etc/puppet/code/modules"]

    def _send_hiera(self, channel: Communicator, place: PurePosixPath) -> PurePosixPath:
        target = place / "hiera" / "hiera.yaml"
        if self._spec.hiera_config is not None:
            upload(channel, self._spec.hiera_config, target)
        if self._spec.hiera_data is not None:
            upload(channel, self._spec.hiera_data, target.parent / self._spec.hiera_data.name)
        return target


class PuppetServerWorker(Provisioner):
    """A certificate that is brought along lies in a folder of its own, so that none of it stays in the image."""

    def __init__(self, spec: PuppetServer) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        argv = [spec.command, "agent", "--onetime", "--no-daemonize", "--no-usecacheonfailure", "--color=false"]
        argv += ["--detailed-exitcodes", "--verbose", f"--waitforcert={spec.wait_for_cert}"]
        argv += [f"--server={spec.server}"] if spec.server else []
        argv += [f"--certname={spec.node}"] if spec.node else []
        with staging(run, channel) as place:
            argv += [f"--ssldir={self._send_keys(channel, place / 'ssl')}"] if spec.client_cert is not None else []
            line = command_line([*argv, *spec.options])
            _run(run, channel, spec, Command(line=line, env=_facts(run, spec.facts)))

    def _send_keys(self, channel: Communicator, place: PurePosixPath) -> PurePosixPath:
        for source, folder in ((self._spec.client_cert, "certs"), (self._spec.client_key, "private_keys")):
            if source is not None:
                upload(channel, source, place / folder / f"{self._spec.node}.pem")
        return place


def _facts(run: Run, facts: Mapping[str, Text]) -> dict[str, str]:
    return {f"FACTER_{name}": text for name, text in texts_of(run, facts).items()}


def _run(run: Run, channel: Communicator, spec: Puppet | PuppetServer, command: Command) -> None:
    # Debian has it in the path, Puppet's own packages have not.
    line = f'PATH="$PATH:/opt/puppetlabs/bin"; {command.line}'
    done = channel.run(Command(line=line, env={"LC_ALL": "C.UTF-8", **command.env}, sudo=spec.sudo), sink=run.output)
    code = done.exit_status
    if code in (_UNCHANGED, _CHANGED):
        return
    if code in _FAILURES and spec.accept_failures:
        run.say(f"accepted as declared: {_MEANING[code]}")
        return
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("Debug:")]
    told = [line for line in said if line.startswith(("Error:", "Warning:"))] or said
    raise ProvisionError(
        f"{spec.title} ended with exit code {code}" + (f": {_MEANING[code]}" if code in _MEANING else ""),
        details=last_lines("\n".join(told)),
        resolution='install it in an earlier step, as by Packages("puppet-agent")' if code == 127 else None,
    )
