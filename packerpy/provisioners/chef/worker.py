"""The workers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.kit.process import last_lines
from packerpy.kit.text import text_of
from packerpy.provisioners.chef.specs import Chef, ChefClient, ChefSolo
from packerpy.provisioners.common import command_line, perform, plain, staging, upload, upload_text
from packerpy.values import Command, Machine

_FATAL = re.compile(r"(.*FATAL:|Error executing action|.*Chef::Exceptions|.*RuntimeError|Recipe Compile Error)")


class _Worker(Provisioner):
    """Configuration and attributes lie in one private folder of the machine, gone when the step ends."""

    def __init__(self, spec: Chef) -> None:
        self._chef = spec

    def _program(self, run: Run, channel: Communicator) -> str:
        """The program; installed, if it is not there and may be."""
        spec = self._chef
        if spec.command is not None:
            return spec.command
        look = Command(line=f"for p in {' '.join(spec.programs)}; do command -v $p && exit; done; exit 1")
        found = channel.run(look)
        if not found.ok and spec.install_command is not None:
            perform(run, channel, Command(line=spec.install_command, sudo=True), "the installation of Chef")
            found = channel.run(look)
        if not found.ok:
            raise ProvisionError(
                f"the machine has none of {', '.join(spec.programs)}",
                resolution="install it in an earlier step, or give install_command=",
            )
        return found.stdout.strip().splitlines()[0]

    def _configure(
        self, run: Run, channel: Communicator, place: PurePosixPath, settings: Mapping[str, Any], **more: Any
    ) -> list[str]:
        """Write configuration and attributes; answers the words that name them."""
        attributes = {**plain(run, self._chef.json), **more}
        attributes |= {"run_list": list(self._chef.run_list)} if self._chef.run_list else {}
        lines = [f"{name} {_ruby(value)}" for name, value in settings.items()]
        upload_text(run, channel, "\n".join([*lines, self._chef.config, ""]), place / "config.rb")
        upload_text(run, channel, json.dumps(attributes), place / "node.json")
        return ["--config", str(place / "config.rb"), "--json-attributes", str(place / "node.json"), "--no-color"]

    def _converge(self, run: Run, channel: Communicator, argv: list[str], title: str) -> None:
        env = {"CHEF_LICENSE": self._chef.licence, "LC_ALL": "C.UTF-8"}
        done = channel.run(Command(line=command_line(argv), env=env, sudo=self._chef.sudo), sink=run.output)
        if done.ok:
            return
        said = (done.stdout + done.stderr).splitlines()
        start = next((number for number, line in enumerate(said) if _FATAL.match(line)), max(0, len(said) - 40))
        raise ProvisionError(
            f"{title} ended with exit code {done.exit_status}", details=last_lines("\n".join(said[start:]))
        )


class ChefSoloWorker(_Worker):
    """Cookbooks are uploaded."""

    def __init__(self, spec: ChefSolo) -> None:
        super().__init__(spec)
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        with staging(run, channel) as place:
            program = self._program(run, channel)
            settings = self._send(run, channel, place)
            argv = [program, *([] if spec.solo else ["--local-mode"]), *self._configure(run, channel, place, settings)]
            argv += ["--environment", spec.environment] if spec.environment else []
            self._converge(run, channel, argv, spec.title)

    def _send(self, run: Run, channel: Communicator, place: PurePosixPath) -> dict[str, Any]:
        spec = self._spec
        settings: dict[str, Any] = {"file_cache_path": place / "cache", "node_path": place / "nodes"}
        targets = [place / f"cookbooks-{number}" for number in range(len(spec.cookbooks))]
        for source, target in zip(spec.cookbooks, targets, strict=True):
            upload(channel, source, target)
        settings["cookbook_path"] = targets
        for name, source in spec.folders().items():
            upload(channel, source, place / name)
            settings[name] = place / name
        if spec.data_bag_secret is not None:
            upload_text(run, channel, text_of(run, spec.data_bag_secret), place / "secret")
            settings["encrypted_data_bag_secret"] = place / "secret"
        return settings


class ChefClientWorker(_Worker):
    """The node lives on the server for as long as the step."""

    def __init__(self, spec: ChefClient) -> None:
        super().__init__(spec)
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        name = spec.node_name or run.name
        with staging(run, channel) as place:
            program = self._program(run, channel)
            settings: dict[str, Any] = {
                "chef_server_url": spec.server_url,
                "node_name": name,
                "client_key": place / "client.pem",
                "ssl_verify_mode": _Symbol("verify_peer" if spec.verify_certificate else "verify_none"),
            }
            if spec.validation_key is not None:
                upload_text(run, channel, run.reveal(spec.validation_key), place / "validation.pem")
                settings |= {"validation_key": place / "validation.pem"}
                settings |= {"validation_client_name": spec.validation_client}
            policy = {"policy_name": spec.policy_name, "policy_group": spec.policy_group} if spec.policy_name else {}
            argv = [program, *self._configure(run, channel, place, settings, **policy), "--once"]
            argv += ["--environment", spec.environment] if spec.environment else []
            try:
                self._converge(run, channel, argv, spec.title)
            finally:
                if not spec.keep_node:
                    self._forget(run, channel, program, name, place)

    def _forget(self, run: Run, channel: Communicator, program: str, name: str, place: PurePosixPath) -> None:
        """Remove node and client from the server; a failure is told, and is none of the image's."""
        knife = str(PurePosixPath(program).with_name("knife"))
        with run.shielded():
            for kind in ("node", "client"):
                line = command_line([knife, kind, "delete", name, "--yes", "--config", place / "config.rb"])
                if not channel.run(Command(line=line, sudo=self._chef.sudo, timeout=60)).ok:
                    run.say(f"the {kind} {name} could not be removed from {self._spec.server_url}")


class _Symbol(str):
    """A Ruby symbol."""

    __slots__ = ()


def _ruby(value: object) -> str:
    """A value in Ruby's words."""
    if isinstance(value, _Symbol):
        return f":{value}"
    if isinstance(value, list):
        return f"[{', '.join(map(_ruby, value))}]"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
