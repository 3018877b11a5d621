"""An installer that is a kernel, which QEMU starts; in a real machine to its end."""

from pathlib import Path

import pytest

import packerpy as pp
from packerpy.backends.qemu.guest import find_guest
from packerpy.backends.qemu.shutdown import wait_for_end
from packerpy.communicators.none import NoCommunicator
from packerpy.events import TaskMessage
from packerpy.testing import TestRun
from tests.installer.tiny import SAYS, Tiny, arguments, bios_disk, tiny_installer

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

SMALL = {"memory": "256 MiB", "cpus": 1, "accelerator": "tcg", "disk_size": "64 MiB", "shutdown_timeout": 120}


@pytest.fixture(scope="module")
def tiny(base_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The installer."""
    return tiny_installer(base_disk, tmp_path_factory.mktemp("tiny"))


def says(run: TestRun, source: pp.Qemu) -> str:
    """All that the machine prints until it powers itself off."""
    machine = source.load().boot(run)
    guest = find_guest(machine.id)
    assert guest is not None
    wait_for_end(run, source, guest)
    return guest.console.text


def test_a_kernel_is_started_once(run: TestRun, tiny: Tiny, tmp_path: Path) -> None:
    """It fills the disk and reboots; then the disk is started, without it. Its arguments tell of the web server."""
    source = pp.Qemu(
        kernel=tiny.kernel,
        initrd=tiny.initrd,
        kernel_args=[arguments("answers=<http>/a "), pp.this_build.http_url],
        http=pp.WebServer({"a": "b"}),
        extra_disks=[bios_disk(tmp_path / "system.img")],
        communicator=NoCommunicator(),
        **SMALL,
    )
    assert list(source.check()) == []
    printed = says(run, source)
    assert SAYS in printed
    assert "installed, rebooting" not in printed
    told = [event.text for event in run.events if isinstance(event, TaskMessage)]
    assert "the installer is done; starting what it has installed" in told
    first, second = sorted(run.workdir.glob("*/console.log"), key=lambda path: path.stat().st_mtime)
    assert "answers=10.0.2.2:" in first.read_text()
    assert SAYS in second.read_text()
