"""Runs a playbook in the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.kit.text import text_of
from packerpy.provisioners.ansible import words
from packerpy.provisioners.ansible.from_host import find_program
from packerpy.provisioners.ansible.galaxy import fetched
from packerpy.provisioners.ansible.specs import AnsibleLocal
from packerpy.provisioners.common import command_line, plain, staging, texts_of, upload, upload_text
from packerpy.values import Command, Machine


class AnsibleLocalWorker(Provisioner):
    """Everything lies in one private folder of the machine, gone when the step ends."""

    def __init__(self, spec: AnsibleLocal) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        spec = self._spec
        with staging(run, channel) as place:
            playbook = self._send_playbook(channel, place / "play")
            env = {**words.ENVIRONMENT, **self._send_paths(run, channel, place), **texts_of(run, spec.env)}
            argv = [spec.command, *self._options(run, channel, place), str(playbook)]
            line = f"cd {playbook.parent} && {command_line(argv)}"
            done = channel.run(Command(line=line, env=env, sudo=spec.sudo), sink=run.output)
        if done.exit_status == 127:
            raise ProvisionError(
                f"the machine has no program {spec.command!r}", resolution="install ansible-core in it, or use Ansible"
            )
        if not done.ok:
            raise words.failed(spec, f"exit code {done.exit_status}", done.stdout + done.stderr)

    def _send_playbook(self, channel: Communicator, place: PurePosixPath) -> PurePosixPath:
        """With its whole folder, or with what stands beside it."""
        spec = self._spec
        if spec.folder is not None:
            upload(channel, spec.folder, place)
            return place / spec.playbook.absolute().relative_to(spec.folder.absolute()).as_posix()
        for path in (spec.playbook, *spec.beside()):
            upload(channel, path, place / path.name)
        return place / spec.playbook.name

    def _send_paths(self, run: Run, channel: Communicator, place: PurePosixPath) -> dict[str, str]:
        """Further roles and collections, and where Ansible finds them."""
        spec = self._spec
        folders: dict[str, list[Path]] = {"roles": [*spec.roles_path], "collections": [*spec.collections_path]}
        if spec.galaxy_requirements is not None:
            galaxy = find_program("ansible-galaxy")
            found = fetched(run, spec.galaxy_requirements, galaxy, {**os.environ, **words.ENVIRONMENT})
            folders["roles"].append(found.roles)
            folders["collections"].append(found.collections)
        paths: dict[str, str] = {}
        for kind, listed in folders.items():
            targets = [place / f"{kind}-{number}" for number in range(len(listed))]
            for folder, target in zip(listed, targets, strict=True):
                upload(channel, folder, target)
            if targets:
                paths[f"ANSIBLE_{kind.upper()}_PATH"] = ":".join(map(str, targets))
        return paths

    def _options(self, run: Run, channel: Communicator, place: PurePosixPath) -> list[str]:
        spec = self._spec
        inventory = place / "inventory.json"
        upload_text(run, channel, json.dumps(words.inventory(run, spec, {"ansible_connection": "local"})), inventory)
        variables = vault = None
        if spec.extra_vars:
            variables = place / "extra_vars.json"
            upload_text(run, channel, json.dumps(plain(run, spec.extra_vars)), variables)
        if spec.vault_password is not None:
            vault = place / "vault"
            upload_text(run, channel, text_of(run, spec.vault_password) + "\n", vault)
        return words.options(spec, inventory, variables, vault)
