"""Debian's own installer, as far as it is quick: typed at, answered by HTTP, powered off by its first command."""

import pytest

import packerpy as pp
from packerpy.communicators.none import NoCommunicator
from packerpy.events import TaskMessage
from tests.installer.netboot import BOOKWORM, make_iso

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

PRESEED = """\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string debian
d-i netcfg/get_domain string
d-i preseed/early_command string wget -O- http://@HTTP@/answer > /tmp/answer; sh /tmp/answer
"""
ANSWER = "poweroff -f\n"


def test_an_installer_is_driven_to_its_end(tmp_path):
    """The ISO boots, the boot command is typed, the installer fetches its answers and runs them; nobody logs in.

    Its requests are in the log, and when it powers itself off its disk is the image.
    """
    iso = make_iso(BOOKWORM, tmp_path / "netboot.iso")
    events: list[object] = []
    image = pp.Image(
        "installed",
        source=pp.Qemu(
            iso=iso,
            disk_size="64 MiB",
            memory="1 GiB",
            boot_command=[
                '<wait for "boot:" 2m>install auto=true priority=critical url=http://<http>/preseed.cfg ',
                "console=ttyS0 DEBIAN_FRONTEND=text ipv6.disable=1 http=<http><enter>",
                '<wait for "Linux version" 5m>',
            ],
            boot_wait=0,
            key_interval=0.02,
            http={
                "preseed.cfg": PRESEED.replace("@HTTP@", '$(sed "s/.* http=//;s/ .*//" /proc/cmdline)'),
                "answer": ANSWER,
            },
            communicator=NoCommunicator(),
            shutdown_timeout=800,
        ),
    )
    result = pp.build(image, output=tmp_path / "output", listeners=[events.append])
    said = [event.text for event in events if isinstance(event, TaskMessage)]
    assert "HTTP: GET /preseed.cfg: 200" in said
    assert "HTTP: GET /answer: 200" in said
    (disk,) = result.files("installed")
    assert disk.is_file()
