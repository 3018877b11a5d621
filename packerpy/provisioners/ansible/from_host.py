"""Runs a playbook on the host."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import PluginError, ProvisionError
from packerpy.kit.process import call
from packerpy.kit.text import text_of
from packerpy.provisioners.ansible import words
from packerpy.provisioners.ansible.galaxy import fetched
from packerpy.provisioners.ansible.launch import tied_workers
from packerpy.provisioners.ansible.reach import Reach, reaching, shared_connection
from packerpy.provisioners.ansible.specs import Ansible
from packerpy.provisioners.common import plain, texts_of
from packerpy.values import Machine


class AnsibleWorker(Provisioner):
    """Inventory, variables and vault password are private files, gone when the step ends."""

    def __init__(self, spec: Ansible) -> None:
        self._spec = spec

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        program = find_program("ansible-playbook")
        with _private_folder(run) as folder, reaching(run, machine, folder) as place:
            argv = [*tied_workers(program), *self._options(run, place, folder), str(self._spec.playbook.absolute())]
            env = {**self._environment(run, folder), **place.environment}
            with shared_connection(run, place, folder):
                self._play(run, argv, env)

    def _options(self, run: Run, place: Reach, folder: Path) -> list[str]:
        spec = self._spec
        inventory = folder / "inventory.json"
        _write(inventory, json.dumps(words.inventory(run, spec, place.variables())))
        variables = vault = None
        if spec.extra_vars:
            variables = folder / "extra_vars.json"
            _write(variables, json.dumps(plain(run, spec.extra_vars)))
        if spec.vault_password is not None:
            vault = folder / "vault"
            _write(vault, text_of(run, spec.vault_password) + "\n")
        return words.options(spec, inventory, variables, vault)

    def _environment(self, run: Run, folder: Path) -> dict[str, str]:
        spec = self._spec
        env = {**os.environ, **words.ENVIRONMENT, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")}
        if spec.config is not None:
            env["ANSIBLE_CONFIG"] = str(spec.config.absolute())
        roles = [str(path.absolute()) for path in spec.roles_path]
        collections = [str(path.absolute()) for path in spec.collections_path]
        if spec.galaxy_requirements is not None:
            found = fetched(run, spec.galaxy_requirements, find_program("ansible-galaxy"), env)
            roles.append(str(found.roles))
            collections.append(str(found.collections))
        env |= {"ANSIBLE_ROLES_PATH": ":".join(roles)} if roles else {}
        env |= {"ANSIBLE_COLLECTIONS_PATH": ":".join(collections)} if collections else {}
        return {**env, **texts_of(run, spec.env)}

    def _play(self, run: Run, argv: list[str], env: dict[str, str]) -> None:
        said: list[str] = []

        def sink(stream: str, text: str) -> None:
            said.append(text)
            run.output(stream, text)

        try:
            call(
                argv, cancellation=run.cancellation, sink=sink, env=env, error=ProvisionError, label="ansible-playbook"
            )
        except ProvisionError as error:
            raise words.failed(self._spec, error.brief, "".join(said)) from error


def find_program(name: str) -> str:
    """A program of Ansible: that of this Python, else the host's.

    :raises PluginError: there is none.
    """
    own = Path(sys.executable).with_name(name)
    found = str(own) if own.is_file() else shutil.which(name)
    if found is None:
        raise PluginError(
            f"the program {name!r} is not installed, needed for Ansible",
            resolution="pip install 'packerpy[ansible]', or `apt-get install ansible-core`",
        )
    return found


@contextmanager
def _private_folder(run: Run) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="a-", dir=run.workdir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
