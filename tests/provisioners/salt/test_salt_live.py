"""Real Salt in the tree of a base image, and in a guest of it, into which real cloud-init lets us."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import packerpy as pp
from packerpy import events
from packerpy.declare import Output

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

PROGRAM = '#!/bin/sh\nPYTHONPATH=/opt/salt exec python3 /opt/salt/bin/salt-call "$@"\n'

STATES = {
    "top.sls": "base:\n  '*':\n    - own\n",
    "own.sls": """\
/srv/made:
  file.managed:
    - mode: "0640"
    - contents: "{{ pillar['token'] }} {{ pillar['given'] }} {{ grains['role'] }} {{ grains['os'] }}"
{% if grains['role'] == 'guest' %}
acpid.socket:
  service.dead:
    - enable: false
{% endif %}
""",
    "broken.sls": "bad:\n  cmd.run:\n    - name: echo the reason; exit 3\ngood:\n  test.nop\n",
}

PILLAR = {"top.sls": "base:\n  '*':\n    - values\n", "values.sls": "given: from-folder\n"}

MINION = "id: box\nenable_fqdns_grains: false\n"
"""Looking up its own names takes long where nobody knows them."""

TOKEN = "hunter2-hunter2"

BY_CLOUD_INIT = (
    "id -un | grep -qx operator",
    "id -gn | grep -qx operator",  # a group that was there before
    "grep -q DataSourceNoCloud /run/cloud-init/result.json",
    "! test -e /run/packerpy/sshd.conf",
)
"""That we came in by what cloud-init did, and not by our own first boot."""


@pytest.fixture(scope="module")
def salt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Salt's files: the host's Python is Debian's, as the guest's is."""
    folder = tmp_path_factory.mktemp("salt") / "lib"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*pip, "--target", folder, "--requirement", REQUIREMENTS], check=True)
    return folder


def step(folder: Path, role: str) -> pp.Salt:
    """All that it can be given; the files are written below ``folder``."""
    for name, files in (("states", STATES), ("pillar", PILLAR)):
        (folder / name).mkdir(exist_ok=True)
        for file, text in files.items():
            (folder / name / file).write_text(text)
    (folder / "minion").write_text(MINION)
    return pp.Salt(
        folder / "states",
        pillar_folder=folder / "pillar",
        pillar={"token": pp.Secret(value=TOKEN)},
        grains={"role": role},
        minion_config=folder / "minion",
    )


def base(salt: Path, folder: Path) -> pp.Image:
    """Salt is put in and applied where nothing is emulated; what it compiled of itself is quick in the guest, too."""
    broken = pp.Salt(folder / "states", apply="broken", minion_config=folder / "minion")
    return pp.Image(
        "base",
        pp.Bootstrap(packages=["cloud-init"], slim=True),
        provision=[
            pp.File(f"{salt}/", to="/opt/salt"),
            pp.File(content=PROGRAM, to="/usr/local/bin/salt-call", mode=0o755),
            step(folder, "tree"),
            pp.Shell(f"grep -qx '{TOKEN} from-folder tree Debian' /srv/made"),
            pp.Step(broken, continue_on_error=True),
        ],
    )


def guest(disk: Output, folder: Path) -> pp.Image:
    """It is entered by an account, a key and a host key that only cloud-init can have made."""
    return pp.Image(
        "guest",
        pp.Qemu(
            disk=disk,
            seed="nocloud",
            user="operator",
            communicator=pp.SSH(),
            boot_timeout=1200,
            layers="off",
            shutdown="fast",
        ),
        provision=[
            pp.CloudInitWait(),
            pp.Shell(*BY_CLOUD_INIT),
            step(folder, "guest"),
            pp.Shell(
                f"grep -qx '{TOKEN} from-folder guest Debian' /srv/made",
                "test $(stat -c %a /srv/made) = 640",
                'test "$(systemctl is-active acpid.socket)" = inactive',
                'test "$(systemctl is-enabled acpid.socket)" = disabled',
                "! ls -d /tmp/packerpy-*/conf",
                sudo=True,
            ),
        ],
    )


def test_salt_and_cloud_init(salt: Path, tmp_path: Path) -> None:
    """Pillar, grains and configuration arrive in tree and guest; states act; failures are told; secrets are not."""
    prepared = base(salt, tmp_path)
    told: list[events.Event] = []
    result = pp.build(guest(prepared.output(), tmp_path), output=tmp_path / "output", listeners=[told.append])
    assert result.artifacts["guest"]
    said = "\n".join(event.text for event in told if isinstance(event, events.TaskMessage))
    output = "\n".join(event.text for event in told if isinstance(event, events.TaskOutput))
    assert "status: done" in output
    assert output.count("Summary for local") == 3
    assert "the reason" in said
    assert TOKEN not in said + output
