"""Command line, inventory and failures: what both ways of running a playbook share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from packerpy.contracts import Run
from packerpy.errors import ProvisionError
from packerpy.kit.process import last_lines
from packerpy.provisioners.ansible.specs import Playbook
from packerpy.provisioners.common import plain

ENVIRONMENT = {
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_RETRY_FILES_ENABLED": "0",
    "ANSIBLE_FORCE_COLOR": "0",
    "PYTHONUNBUFFERED": "1",
    "LC_ALL": "C.UTF-8",
}

_TROUBLE = re.compile(r"fatal: |failed: |ERROR!|\[ERROR\]|.*UNREACHABLE!")
_NEXT = re.compile(
    r"(TASK|PLAY|RUNNING HANDLER|GATHERING) ?.*\*{3}|$|ok: |changed: |skipping: |included: |\.\.\.ignoring"
)
_MOST = 60
"""Lines of trouble that an error shows."""

_HINTS = {
    "Decryption failed": "the vault password does not fit the file",
    "no vault secrets": "give vault_password=",
    "Attempting to decrypt but no": "give vault_password=",
    "UNREACHABLE": "the machine could not be reached by SSH, or has no Python; is python= right?",
    "ansible_python_interpreter": "install python3 in the machine, or say where it is by python=",
}


def options(spec: Playbook, inventory: PurePath, variables: PurePath | None, vault: PurePath | None) -> list[str]:
    """Everything but program and playbook."""
    found = ["-i", str(inventory)]
    found += ["-e", f"@{variables}"] if variables is not None else []
    found += ["--vault-password-file", str(vault)] if vault is not None else []
    found += ["--tags", ",".join(spec.tags)] if spec.tags else []
    found += ["--skip-tags", ",".join(spec.skip_tags)] if spec.skip_tags else []
    found += ["--become"] if spec.become else []
    found += [f"-{'v' * spec.verbosity}"] if spec.verbosity else []
    return [*found, *spec.extra_arguments]


def inventory(run: Run, spec: Playbook, connection: Mapping[str, str]) -> dict[str, Any]:
    """One machine, in its groups; JSON, which is YAML as well."""
    host = {**connection, "ansible_python_interpreter": spec.python, **plain(run, spec.host_vars)}
    variables = plain(run, spec.group_vars)
    groups: dict[str, Any] = {
        name: {"hosts": {spec.host_alias: None}, "vars": variables.get(name, {})} for name in spec.groups
    }
    return {"all": {"hosts": {spec.host_alias: host}, "vars": variables.get("all", {}), "children": groups}}


def failed(spec: Playbook, brief: str, said: str) -> ProvisionError:
    """What went wrong, in the playbook's own words, and the recap."""
    hint = next((text for sign, text in _HINTS.items() if sign in said), None)
    shown = "\n".join((_trouble(said), _recap(said))).strip() or last_lines(said)
    return ProvisionError(f"the playbook {spec.playbook.name} failed: {brief}", details=shown, resolution=hint)


def _trouble(said: str) -> str:
    """Messages of failures, with the lines that belong to them."""
    found: list[str] = []
    inside = False
    for line in said.split("PLAY RECAP", 1)[0].splitlines():
        inside = bool(_TROUBLE.match(line)) or (inside and not _NEXT.match(line))
        if inside:
            found.append(line)
    return "\n".join(found[-_MOST:])


def _recap(said: str) -> str:
    _, mark, rest = said.partition("PLAY RECAP")
    return f"{mark}{rest}".strip()
