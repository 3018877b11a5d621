"""How Ansible is told to log in: as the build does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import packerpy as pp
from packerpy.provisioners.ansible.reach import reaching
from packerpy.testing import make_run
from packerpy.values import Endpoint, Machine

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvsn1Gl1rrHnF1n9C4lDqLzq1nEnhX9R5n9M3hF2O3x"


def _options(folder: Path, *, keys: tuple[str, ...] = (), **ssh: Any) -> dict[str, str]:
    """The settings that ssh is given for a machine whose source knows some host keys."""
    endpoint = Endpoint(host="192.0.2.1", port=2222, key_file=folder / "key", host_keys=keys)
    run = make_run(folder)
    try:
        with reaching(run, Machine(id="m", endpoint=endpoint, communicator=pp.SSH(**ssh)), folder) as made:
            return dict(word.split("=", 1) for word in made.arguments if "=" in word)
    finally:
        run.close(failed=True)


def test_a_known_host_key_is_pinned(tmp_path: Path) -> None:
    """It stands in a file of the step's own, under the machine's name and port."""
    options = _options(tmp_path, keys=(_KEY,))
    assert options["StrictHostKeyChecking"] == "yes"
    assert Path(options["UserKnownHostsFile"]).read_text() == f"[192.0.2.1]:2222 {_KEY}\n"


def test_host_key_policies(tmp_path: Path) -> None:
    """Each of the build's policies has its counterpart."""
    assert _options(tmp_path)["StrictHostKeyChecking"] == "accept-new"
    assert _options(tmp_path, host_key_policy="pin")["StrictHostKeyChecking"] == "yes"
    known = _options(tmp_path, host_key_policy="known-hosts", known_hosts=tmp_path / "mine")
    assert known["StrictHostKeyChecking"] == "yes"
    assert known["UserKnownHostsFile"].split()[1] == str(tmp_path / "mine")
    insecure = _options(tmp_path, keys=(_KEY,), host_key_policy="insecure")
    assert insecure["StrictHostKeyChecking"] == "no"
    assert insecure["UserKnownHostsFile"] == "/dev/null"


def test_a_certificate_goes_along(tmp_path: Path) -> None:
    """As ssh's own option."""
    assert _options(tmp_path, certificate=tmp_path / "key-cert.pub")["CertificateFile"] == str(
        tmp_path / "key-cert.pub"
    )


def test_what_asks_for_a_password(tmp_path: Path) -> None:
    """Only where there is one does ssh ask, once; where there is none it never waits for somebody to type."""
    assert _options(tmp_path)["BatchMode"] == "yes"
    asking = _options(tmp_path, password=pp.Secret(value="hush-hush"))
    assert "BatchMode" not in asking
    assert asking["NumberOfPasswordPrompts"] == "1"
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
