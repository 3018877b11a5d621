"""In which order a machine with UEFI looks for something to boot; it gets no further than GRUB: seconds each."""

from pathlib import Path

import pytest

from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.guest import find_guest
from packerpy.backends.qemu.shutdown import wait_for_end
from packerpy.communicators.none import NoCommunicator
from tests.installer.uefi import grub_disk, grub_iso

SMALL = {"memory": "128 MiB", "cpus": 1, "accelerator": "tcg", "firmware": "uefi", "shutdown_timeout": 120}


@pytest.fixture(scope="module")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gets to GRUB's prompt, on the serial console."""
    return grub_iso(tmp_path_factory.mktemp("iso") / "grub.iso", "echo this is the CD\n", {})


def printed(run, spec: Qemu) -> str:
    """All that it prints until what it waits for shows, or until it switches itself off."""
    assert list(spec.check()) == []
    guest = find_guest(spec.load().boot(run).id)
    if not spec.boot_command:
        wait_for_end(run, spec, guest)
    return guest.console.text


def test_an_empty_disk_is_passed_over(run, iso, tmp_path):
    """The ISO's EFI entry is started; an image on a second disk does not keep it from that."""
    spec = Qemu(
        iso=iso,
        disk_size="64 MiB",
        extra_disks=[grub_disk(tmp_path / "other.img", "echo this is the other disk\nsleep 1\nhalt\n")],
        boot_command='<wait for "this is the CD" 5m><wait for "grub>" 1m>',
        boot_wait=0,
        communicator=NoCommunicator(),
        **SMALL,
    )
    assert "this is the other disk" not in printed(run, spec)


def test_a_disk_goes_before_a_cd(run, iso, tmp_path):
    """As after an installer's reboot; by a firmware that has never seen the disk. Other disks come last."""
    disk = grub_disk(tmp_path / "disk.img", "echo this is the disk\nsleep 1\nhalt\n")
    other = grub_disk(tmp_path / "other.img", "echo this is the other disk\nsleep 1\nhalt\n")
    spec = Qemu(disk=disk, cdroms=iso, extra_disks=[other], seed=None, communicator=NoCommunicator(), **SMALL)
    told = printed(run, spec)
    assert "this is the disk" in told
    assert "this is the CD" not in told
    assert "this is the other disk" not in told


def test_secure_boot_starts_only_what_is_signed(run, tmp_path):
    """GRUB alone, on the first disk, has no signature of Microsoft's; on the second a program that has one vouches for it.

    What the firmware wrote down of that is in the variables that are kept.
    """
    other = grub_disk(tmp_path / "shim.img", "echo this is the signed disk\nsleep 1\nhalt\n", shim=True)
    spec = Qemu(
        disk=grub_disk(tmp_path / "disk.img", "echo this is the disk\nsleep 1\nhalt\n"),
        extra_disks=[other],
        secure_boot=True,
        keep_variables=True,
        seed=None,
        communicator=NoCommunicator(),
        **SMALL,
    )
    source = spec.load()
    assert list(spec.check()) == []
    assert list(source.preflight(run)) == []
    machine = source.boot(run)
    guest = find_guest(machine.id)
    artifact = source.capture(run, machine, None)
    assert "Access Denied" in guest.console.text
    assert "this is the disk" not in guest.console.text
    assert "this is the signed disk" in guest.console.text
    kept = Path(artifact.outputs["uefi_variables"])
    assert kept in artifact.files
    assert "BootOrder".encode("utf-16-le") in kept.read_bytes()
