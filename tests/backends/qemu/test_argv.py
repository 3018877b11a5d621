"""QEMU's command line as a pure function."""

import json
from pathlib import Path

import pytest

from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.argv import DiskFile, Kernel, Wiring, arguments
from packerpy.backends.qemu.vnc import Vnc
from packerpy.declare import Secret, Variable
from packerpy.errors import DeclarationError


def wiring(**given) -> Wiring:
    """Where things lie, but for what is given."""
    values = {
        "binary": Path("/usr/bin/qemu"),
        "accelerator": "tcg",
        "id": "11111111-2222-3333-4444-555555555555",
        "name": "web",
        "folder": Path("/w"),
        "disks": (DiskFile(path=Path("/w/disk.qcow2")),),
        "seed": Path("/w/seed.iso"),
    }
    return Wiring(**(values | given))


def words(spec: Qemu, **given) -> str:
    """The whole line."""
    return " ".join(arguments(spec, wiring(**given)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "-machine q35,memory-backend=ram -accel tcg,thread=multi,tb-size=128 -cpu max,la57=off -smp 2"),
        ({"cpus": 1}, "-accel tcg,thread=single,tb-size=128"),
        ({"machine": "pc"}, "-machine pc,memory-backend=ram"),
        ({"cpu_model": "Haswell"}, "-cpu Haswell"),
        ({"cpus": 8, "topology": (2, 2, 2)}, "-smp 8,sockets=2,cores=2,threads=2 "),
        ({"vnc": True}, "-display none -S -vnc unix:/w/vnc "),
        ({"vnc": Vnc(password=Secret(env="P"))}, "-vnc 127.0.0.1:0,to=100,password=on "),
        ({"vnc": Vnc(password=Secret(env="P"), port=(5905, 5909))}, "-vnc 127.0.0.1:5,to=9,password=on "),
        ({"vnc": Vnc(password=Secret(env="P"), address="0.0.0.0", port=5901)}, "-vnc 0.0.0.0:1,password=on "),
        ({"memory": "512 MiB"}, "-m 536870912B -object memory-backend-ram,id=ram,size=536870912"),
        ({"layers": "live"}, "-device virtio-balloon-pci,free-page-reporting=on"),
        ({"disk_interface": "virtio"}, "-device virtio-blk-pci,drive=disk0,bootindex=0"),
        ({"disk_interface": "virtio-scsi"}, "-device scsi-hd,bus=scsi.0,drive=disk0,bootindex=0"),
        ({"disk_interface": "nvme"}, "-device nvme,serial=packerpy0,drive=disk0,bootindex=0"),
        ({"disk_interface": "sata"}, "-device ide-hd,bus=ide.0,drive=disk0,bootindex=0"),
        ({"network_device": "e1000e"}, "-device e1000e,netdev=net0,romfile="),
        ({"extra_args": ("-device", "edu")}, "-device edu"),
        ({}, "name=org.qemu.guest_agent.0"),
        ({}, "-device vmgenid,guid=auto"),
        ({}, "-device virtio-blk-pci,drive=seed"),
        ({}, "-S"),
    ],
)
def test_each_option_finds_its_words(given, expected):
    """A table of declared options and the words that they become."""
    assert expected in words(Qemu(disk="a", **given))


def test_kvm_gets_the_hosts_processor():
    """Only emulation has a processor model of its own."""
    assert "-accel kvm -cpu host" in words(Qemu(disk="a"), accelerator="kvm")


def test_uefi_gets_code_and_variables():
    """Code is read-only, variables are writable."""
    line = words(Qemu(disk="a", firmware="uefi"), firmware=(Path("/fw/code"), Path("/w/vars")))
    assert ",pflash0=firmware,pflash1=variables" in line
    given = arguments(Qemu(disk="a", firmware="uefi"), wiring(firmware=(Path("/fw/code"), Path("/w/vars"))))
    nodes = [json.loads(word) for word in given if word.startswith("{")][:2]
    assert [(node["node-name"], node["read-only"]) for node in nodes] == [("firmware", True), ("variables", False)]


def test_secure_boot_needs_system_management_mode():
    """Only by it are the variables written."""
    line = words(Qemu(disk="a", firmware="uefi", secure_boot=True), firmware=(Path("/fw/code"), Path("/w/vars")))
    assert "-machine q35,memory-backend=ram,pflash0=firmware,pflash1=variables,smm=on" in line
    assert "-global driver=cfi.pflash01,property=secure,value=on" in line


@pytest.mark.parametrize(
    ("given", "model"),
    [({}, "tpm-tis"), ({"tpm_device": "tpm-crb"}, "tpm-crb"), ({"architecture": "aarch64"}, "tpm-tis-device")],
)
def test_a_tpm_is_reached_by_its_socket(given, model):
    """The device is the architecture's, or the one that was asked for."""
    line = words(Qemu(disk="a", tpm="2.0", **given), tpm=Path("/w,x/tpm.sock"))
    assert f"-chardev socket,id=tpm,path=/w,,x/tpm.sock -tpmdev emulator,id=tpm,chardev=tpm -device {model}," in line


def test_odd_characters_in_names_and_paths_are_quoted():
    """Commas, spaces and unicode neither break nor inject an option."""
    line = arguments(
        Qemu(disk="a"), wiring(name="a,b ü", folder=Path("/w,x y"), disks=(DiskFile(path=Path("/w,x y/d ü,.qcow2")),))
    )
    assert "guest=packerpy-a,,b ü" in line
    assert "socket,id=qmp,path=/w,,x y/qmp" in line
    assert any(word.startswith("{") and json.loads(word).get("filename") == "/w,x y/d ü,.qcow2" for word in line)


def test_without_a_seed_there_is_no_second_disk():
    """``seed=None`` leaves nothing in the guest to read."""
    assert "drive=seed" not in words(Qemu(disk="a"), seed=None)


def test_an_unfilled_variable_is_named():
    """The engine fills variables before a boot; what was left is an error, not a strange command line."""
    with pytest.raises(DeclarationError, match="memory"):
        words(Qemu(disk="a", memory=Variable("memory")))


def test_memory_can_be_a_file():
    """Shared, so that it can be saved; or private, for a clone that waits for its state."""
    shared = words(Qemu(disk="a", memory="1 MiB"), memory=Path("/m,x"))
    assert "-object memory-backend-file,id=ram,size=1048576,mem-path=/m,,x,share=on" in shared
    assert "-incoming" not in shared
    private = words(Qemu(disk="a"), memory=Path("/m"), private=True, incoming=True)
    assert "mem-path=/m,share=off -incoming defer" in private


def test_nothing_is_reported_where_nothing_is_saved():
    """Without layers there is no balloon."""
    assert "balloon" not in words(Qemu(disk="a", layers="off"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["ide-cd,bus=ide.0,drive=cd0,bootindex=1", "ide-cd,bus=ide.1,drive=cd1,bootindex=2", "isa-fdc"]),
        ({"disk_interface": "sata"}, ["ide-cd,bus=ide.1,drive=cd0,bootindex=1", "ide-cd,bus=ide.2,drive=cd1"]),
        ({"machine": "pc"}, ["ide-cd,bus=ide.0,unit=0,drive=cd0", "ide-cd,bus=ide.0,unit=1,drive=cd1"]),
        ({"machine": "pc", "disk_interface": "ide"}, ["ide-cd,bus=ide.0,unit=1,drive=cd0", "ide-cd,bus=ide.1,unit=0"]),
        ({}, ["-device floppy,drive=floppy,drive-type=144"]),
        (
            {"cdrom_interface": "virtio"},
            ["virtio-blk-pci,drive=cd0,bootindex=1", "virtio-blk-pci,drive=cd1,bootindex=2"],
        ),
        ({"cdrom_interface": "virtio-scsi"}, ["virtio-scsi-pci,id=scsi", "scsi-cd,bus=scsi.0,drive=cd1,bootindex=2"]),
        ({"cdrom_interface": "ide", "disk_interface": "virtio-scsi"}, ["ide-cd,bus=ide.0,drive=cd0"]),
    ],
)
def test_removable_media_find_their_places(given, expected):
    """After the disks, on the machine's own controllers, and booted after them."""
    line = words(Qemu(disk="a", **given), cdroms=(Path("/m/a.iso"), Path("/m/cd.iso")), floppy=Path("/m/f.img"))
    assert [part for part in expected if part not in line] == []
    assert ("isa-fdc" in line) == (given.get("machine") != "pc")


def test_the_order_of_booting():
    """The boot disk, the CDs, then what other disks may hold; a kernel goes before all, and its reboot is the end."""
    spec = Qemu(disk="a", extra_disks=["1 GiB"])
    disks = (DiskFile(path=Path("/w/0")), DiskFile(path=Path("/w/1")))
    given = {"disks": disks, "cdroms": (Path("/m/a.iso"), Path("/m/b.iso"))}
    order = {"disk0": 0, "cd0": 1, "cd1": 2, "disk1": 3}
    line = words(spec, **given)
    assert [name for name, turn in order.items() if f"drive={name},bootindex={turn}" not in line] == []
    assert "-no-reboot" not in line
    kernel = Kernel(image=Path("/k/linux"), initrd=Path("/k/initrd"), arguments="quiet url=a,b")
    line = words(spec, kernel=kernel, **given)
    assert "-kernel /k/linux -initrd /k/initrd -append quiet url=a,b -no-reboot" in line
    assert [name for name, turn in order.items() if f"drive={name},bootindex={turn + 1}" not in line] == []
