"""A real sshd that takes passwords, of a user that only it knows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from packerpy.kit.process import find_tool
from tests.communicators.ssh.sshd_server import Sshd

PASSWORD = "corréct horse"

_PAM = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n"

_ASKING = {
    "password": "PasswordAuthentication yes\nAuthenticationMethods password",
    "dialogue": "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods keyboard-interactive",
}


@pytest.fixture(params=sorted(_ASKING))
def passwords(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sshd]:
    """A started server that takes passwords, in a mount namespace whose /etc knows one more user."""
    etc = tmp_path / "etc"
    etc.mkdir()
    coded = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, check=True, capture_output=True, text=True
    ).stdout.strip()
    for name, line in (
        ("passwd", f"tester:x:54321:54321::{tmp_path}:/bin/sh"),
        ("shadow", f"tester:{coded}:19000::::::"),
    ):
        shutil.copy(f"/etc/{name}", etc / name)
        with (etc / name).open("a") as file:
            file.write(line + "\n")
    (etc / "pam.d").mkdir()
    (etc / "pam.d" / "sshd").write_text(_PAM)
    binds = " && ".join(f"mount --bind {etc}/{name} /etc/{name}" for name in ("passwd", "shadow", "pam.d"))
    unshare = find_tool("unshare", package="util-linux")
    server = Sshd(
        tmp_path / "sshd",
        prefix=[unshare, "--mount", "--", "/bin/sh", "-c", f'{binds} && exec "$@"', "sh"],
        extra=_ASKING[request.param],
    )
    server.start()
    yield server
    server.stop()
