"""Debian's own installer, as far as it is quick: typed at, answered by HTTP, powered off by its first command."""

import pytest

import packerpy as pp
from packerpy.backends.qemu.guest import find_guest
from packerpy.communicators.none import NoCommunicator
from packerpy.events import TaskMessage
from packerpy.testing import TestRun
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


def test_a_kernel_is_started_by_uefi(run: TestRun) -> None:
    """The same installer, loaded by QEMU's firmware without an ISO, comes to its first words on the serial console.

    Its kernel sees UEFI and the TPM. Then it is told to reboot, which starts the disk, on which there is nothing, with the
    same TPM.
    """
    spec = pp.Qemu(
        kernel=BOOKWORM / "linux",
        initrd=BOOKWORM / "initrd.gz",
        kernel_args="console=ttyS0 DEBIAN_FRONTEND=text",
        firmware="uefi",
        tpm="2.0",
        boot_steps=[
            ('<wait for "efi: EFI v2" 5m>', "the kernel was started by UEFI"),
            ('<wait for "ACPI: TPM2" 1m>', "it sees the TPM"),
            ('<wait for "Starting system log daemon" 8m>', "the installer says its first words"),
            ("<leftCtrlOn><leftAltOn><del><leftAltOff><leftCtrlOff>", "reboot"),
        ],
        boot_wait=0,
        memory="1 GiB",
        cpus=1,
        disk_size="64 MiB",
        accelerator="tcg",
        communicator=NoCommunicator(),
    )
    assert list(spec.check()) == []
    source = spec.load()
    assert list(source.preflight(run)) == []
    guest = find_guest(source.boot(run).id)
    assert guest is not None
    (told,) = guest.qmp.execute("query-tpm")
    assert told["model"] == "tpm-tis"
    (state,) = run.workdir.glob("*/tpm/tpm2-00.permall")
    assert state.parent.parent != guest.folder
    said = [event.text for event in run.events if isinstance(event, TaskMessage)]
    assert "the installer is done; starting what it has installed" in said
