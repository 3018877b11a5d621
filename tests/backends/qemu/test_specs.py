"""The declaration of a QEMU machine."""

from pathlib import Path

import attrs
import pytest

from packerpy import contracts
from packerpy.backends.qemu import Qemu, start
from packerpy.backends.qemu.source import QemuSource
from packerpy.backends.qemu.vnc import Vnc
from packerpy.communicators.none import NoCommunicator
from packerpy.communicators.ssh import SSH
from packerpy.declare import Image, Secret, Variable, this_build
from packerpy.errors import DeclarationError, PluginError
from packerpy.execute.calls import plan
from packerpy.kit.boot_steps import BootStep
from packerpy.kit.media import Media
from packerpy.kit.places import Download
from packerpy.kit.sums import Sums
from packerpy.kit.web_server import WebServer
from packerpy.values import Artifact


def test_a_plain_declaration_has_no_problems_and_is_a_value():
    """Only the disk must be given; two equal declarations are equal, hash alike, and survive ``evolve``."""
    one, two = Qemu(disk="a.qcow2"), Qemu(disk=Path("a.qcow2"))
    assert list(one.check()) == []
    assert one == two
    assert hash(one) == hash(two)
    assert attrs.evolve(one, host_port=(2222, 2230)).host_port == (2222, 2230)


def test_it_has_the_abilities_that_the_engine_asks_for():
    """Resources, tools, files and test boots are offered by the declaration."""
    spec = Qemu(disk="a.qcow2", memory="2 GiB", cpus=3, extra_disks=["1 GiB", Path("b.raw")])
    for ability in ("HasResources", "DescribesTools", "ReadsFiles", "TestsArtifacts"):
        assert isinstance(spec, getattr(contracts, ability))
    assert spec.resources().memory > 2 << 30
    assert spec.resources().cpus == 3
    assert list(spec.reads()) == [Path("a.qcow2"), Path("b.raw")]
    assert "qemu-system-x86_64" in {tool.name for tool in spec.tools()}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"memory": "lots"}, "memory"),
        ({"memory": "1 KiB"}, "memory"),
        ({"memory": -5}, "memory"),
        ({"cpus": 0}, "cpus"),
        ({"firmware": "coreboot"}, "firmware"),
        ({"architecture": "aarch64", "firmware": "bios"}, "firmware"),
        ({"architecture": "vax"}, "architecture"),
        ({"accelerator": "warp"}, "accelerator"),
        ({"disk_interface": "floppy"}, "disk_interface"),
        ({"disk_size": "0"}, "disk_size"),
        ({"extra_disks": ["1 GiB", "huge"]}, "extra_disks[1]"),
        ({"host_port": 0}, "host_port"),
        ({"host_port": (3000, 2000)}, "host_port"),
        ({"guest_port": 70000}, "guest_port"),
        ({"tpm": "3.0"}, "tpm"),
        ({"topology": (2, 2, 2)}, "topology"),
        ({"topology": (2, 1)}, "topology"),
        ({"topology": (-1, -2, 1)}, "topology"),
        ({"cdrom_interface": "nvme"}, "cdrom_interface"),
        ({"vnc": Vnc(port=5901)}, "vnc.password"),
        ({"vnc": Vnc(password=Secret(env="P"), port=80)}, "vnc.port"),
        ({"vnc": Vnc(password=Secret(env="P"), port=(6000, 5900))}, "vnc.port"),
        ({"vnc": Vnc(password=Secret(env="P"), address="::1")}, "vnc.address"),
        ({"secure_boot": True}, "secure_boot"),
        ({"secure_boot": True, "firmware": "uefi", "machine": "pc"}, "secure_boot"),
        ({"secure_boot": True, "architecture": "aarch64"}, "secure_boot"),
        ({"uefi_code": "OVMF_CODE.fd"}, "uefi_code"),
        ({"uefi_variables": "OVMF_VARS.fd", "firmware": "bios"}, "uefi_variables"),
        ({"keep_variables": True}, "keep_variables"),
        ({"seed": "ignition"}, "seed"),
        ({"format": "vmdk"}, "format"),
        ({"format": "raw", "compress": True}, "compress"),
        ({"compress": "brotli"}, "compress"),
        ({"shutdown_timeout": 0}, "shutdown_timeout"),
        ({"boot_timeout": -1.0}, "boot_timeout"),
        ({"checksum": "sha256:abc"}, "checksum"),
        ({"disk": "https://example.org/disk.qcow2"}, "checksum"),
        ({"machine": "microvm"}, "machine"),
        ({"checksum": "file:SHA256SUMS"}, "checksum"),
        ({"checksum": "https://example.org/a.iso"}, "checksum"),
        ({"disk": None}, "disk"),
        ({"iso": "a.iso"}, "iso"),
        ({"disk": None, "iso": "ftp://example.org/a.iso", "checksum": "none"}, "iso"),
        ({"disk": None, "iso": "https://example.org/a.iso"}, "checksum"),
        ({"disk": None, "iso": "https://example.org/a.iso?checksum=md5:0", "checksum": "none"}, "iso"),
        ({"disk": None, "iso": ["a.iso", "s3://b/"], "checksum": "none"}, "iso[1]"),
        ({"disk": None, "iso": "a.iso", "checksum": "a.iso"}, "checksum"),
        ({"disk": None, "iso": "a.iso", "checksum": "file:git://example.org/S"}, "checksum.file"),
        ({"disk": None, "iso": "a.iso", "checksum": Sums("S", signature="S.sign")}, "checksum.keyring"),
        ({"disk": None, "iso": "a.iso", "disk_size": "huge"}, "disk_size"),
        ({"disk": None, "iso": "a.iso", "architecture": "aarch64"}, "architecture"),
        ({"boot_command": "<wiat>"}, "boot_command"),
        ({"boot_command": "<wait-5s>"}, "boot_command"),
        ({"boot_command": "http://<http>/"}, "boot_command"),
        ({"boot_command": "<enter>", "boot_steps": [("<enter>", "go on")]}, "boot_steps"),
        ({"boot_steps": [("<enter>", "go on"), ["<entr>"]]}, "boot_steps[1]"),
        ({"boot_steps": [("http://<http>/", "answers")]}, "boot_steps"),
        ({"boot_steps": [("<enter>", "")], "architecture": "aarch64"}, "architecture"),
        ({"boot_wait": -1}, "boot_wait"),
        ({"key_interval": 0}, "key_interval"),
        ({"kernel": "linux"}, "kernel"),
        ({"disk": None, "kernel": Download("ftp://example.org/linux", "none")}, "kernel"),
        ({"disk": None, "kernel": "https://example.org/linux"}, "kernel.checksum"),
        ({"disk": None, "kernel": "linux", "initrd": Download("initrd", "md5:0")}, "initrd.checksum"),
        ({"disk": None, "kernel": "linux", "architecture": "aarch64"}, "architecture"),
        ({"disk": None, "kernel": "linux", "kernel_args": "url=http://<http>/"}, "kernel_args"),
        ({"disk": None, "kernel": "linux", "kernel_args": "<htp>"}, "kernel_args"),
        ({"disk": None, "kernel": "linux", "kernel_args": Secret(env="P")}, "kernel_args"),
        ({"disk": None, "kernel": "linux", "install_timeout": 0}, "install_timeout"),
        ({"disk": None, "iso": "a.iso", "initrd": "initrd"}, "initrd"),
        ({"disk": None, "iso": "a.iso", "kernel_args": "quiet"}, "kernel_args"),
        ({"cdroms": "https://example.org/tools.iso"}, "cdroms[0].checksum"),
        ({"cdroms": ["a", Download("b", "md5:0")]}, "cdroms[1].checksum"),
        ({"cdroms": ["a", "b", "c", "d", "e", "f", "g"]}, "cdroms"),
        ({"cdroms": ["a", "b", "c"], "machine": "pc", "disk_interface": "ide", "extra_disks": ["1 GiB"]}, "cdroms"),
        ({"cd": {"url": this_build.http_url}}, "cd"),
        ({"http": WebServer({"a": "b"}, port=0)}, "http.port"),
        ({"http": WebServer({"a": "b"}, address="127.0.0.2")}, "http.address"),
        ({"http": "/nowhere/at-all"}, "http"),
        ({"http": {"../x": "a"}}, "http.content"),
        ({"cd": ["/nowhere/at-all"]}, "cd.files[0]"),
        ({"cd": Media(label="a name that is too long")}, "cd.label"),
        ({"floppy": Media(label="twelve chars")}, "floppy.label"),
        ({"floppy": {"large": "x" * 1_500_000}}, "floppy"),
    ],
)
def test_every_bad_value_is_a_problem_at_its_place(given, where):
    """One bad option gives one problem that names the option and says what to write instead."""
    problems = list(Qemu(**{"disk": "a.qcow2", **given}).check())
    assert [problem.where for problem in problems] == [where]
    assert problems[0].fix


def test_all_problems_are_reported_at_once():
    """A second mistake is not hidden by the first."""
    assert len(list(Qemu(disk="a", memory="x", cpus=0, format="vdi").check())) == 3


def test_a_url_stays_a_text_and_may_say_that_it_has_no_checksum():
    """Only texts without a scheme become paths; ``none`` is an explicit answer."""
    spec = Qemu(disk="https://example.org/disk.qcow2", checksum="none")
    assert spec.disk == "https://example.org/disk.qcow2"
    assert list(spec.check()) == []
    assert list(spec.reads()) == []


def test_variables_are_let_through_until_they_have_values():
    """A variable in a text field is no problem of the declaration."""
    spec = Qemu(disk=Variable("disk"), memory=Variable("memory"), user=Variable("user"))
    assert list(spec.check()) == []


def test_a_test_boot_has_the_same_hardware_and_the_artifacts_disks():
    """``for_test`` changes only where the disks come from."""
    declared = Qemu(
        disk="a.qcow2",
        checksum="0" * 64,
        disk_size="10 GiB",
        extra_disks=["1 GiB"],
        cpus=4,
        communicator=SSH(user="me"),
    )
    artifact = Artifact(
        kind="disk", id="web.qcow2", outputs={"disk": "/out/web.qcow2", "disk1": "/out/web-disk1.qcow2"}
    )
    tested = declared.for_test(artifact)
    assert tested.disk == artifact
    assert tested.extra_disks == (Path("/out/web-disk1.qcow2"),)
    assert (tested.cpus, tested.communicator, tested.checksum, tested.disk_size) == (4, SSH(user="me"), None, None)


def test_an_output_of_another_image_is_a_disk():
    """A reference is kept as it is."""
    base = Image("base", source=Qemu(disk="a.qcow2"))
    assert Qemu(disk=base.output("disk")).disk == base.output("disk")


def test_an_installer_is_declared_like_this(tmp_path):
    """Texts become paths, mirrors, media; what is read is told; a disk of Packer's default size, and no seed."""
    (tmp_path / "preseed.cfg").write_text("d-i")
    spec = Qemu(
        iso=["a.iso", "https://example.org/a.iso"],
        checksum="file:https://example.org/SHA256SUMS",
        boot_command=["<wait>install ", Variable("what"), Secret(env="PASSWORD"), " <http>"],
        http=tmp_path,
        cd={"answers": tmp_path / "preseed.cfg"},
        floppy=tmp_path / "preseed.cfg",
    )
    assert list(spec.check()) == []
    assert spec.iso == (Path("a.iso"), "https://example.org/a.iso")
    assert set(spec.reads()) == {Path("a.iso"), tmp_path, tmp_path / "preseed.cfg"}
    assert (spec.install_size, spec.seeded, attrs.evolve(spec, seed="nocloud").seeded) == ("40 GiB", None, "nocloud")
    assert {"mformat", "qemu-img"} <= {tool.name for tool in spec.tools()}
    assert hash(spec) == hash(attrs.evolve(spec))


@pytest.mark.parametrize(
    ("given", "live", "disks"),
    [
        ({}, True, False),
        ({"boot_command": "<enter>"}, True, False),
        ({"cd": {"a": "b"}}, False, True),
        ({"floppy": {"a": "b"}}, False, True),
        ({"disk": None, "iso": "a.iso"}, False, True),
        ({"disk": None, "kernel": "linux"}, False, True),
        ({"cdroms": "a.iso"}, False, True),
        ({"tpm": "2.0"}, False, True),
        ({"disk": None, "iso": "a.iso", "layers": "off"}, False, False),
        ({"disk": None, "iso": "a.iso", "communicator": NoCommunicator()}, False, False),
    ],
)
def test_what_is_saved_of_a_machine_with_media(given, live, disks):
    """Its disks only; of one that nobody can talk to, nothing."""
    spec = Qemu(**{"disk": "a", **given})
    assert (spec.saves_live, spec.saves_disks) == (live, disks)


def test_all_mistakes_of_a_boot_command_are_told():
    """Each is a problem of its own, with its place and what to write."""
    problems = list(Qemu(disk="a", boot_command=["<wiat>a<entr>", "é"]).check())
    assert [problem.seen for problem in problems] == ["<wiat>", "<entr>", "é"]
    assert "did you mean <wait>?" in (problems[0].fix or "")


def test_steps_of_a_boot_command_are_pairs(blank_disk):
    """The description may be left out, and is not part of what decides the result; anything else is an error."""
    spec = Qemu(disk="a", boot_steps=[("<enter>", "go on"), [["a", Variable("b")]], BootStep("c", "d")])
    assert spec.boot_steps == (BootStep("<enter>", "go on"), BootStep(("a", Variable("b"))), BootStep("c", "d"))
    keys = [key_of_boot(Qemu(disk=blank_disk, boot_steps=[step])) for step in (("a", "b"), ("a", "c"), ("b", "b"))]
    assert keys[0] == keys[1] != keys[2]
    for wrong in (["<enter>"], [("a", "b", "c")], [("a", 1)], [()]):
        with pytest.raises(DeclarationError, match="pair of what is typed"):
            Qemu(disk="a", boot_steps=wrong)


def key_of_boot(spec: Qemu) -> str:
    """What its boot is kept by."""
    return plan(Image("web", source=spec)).builds["web"].tasks[0].key


def test_what_was_installed_boots_without_its_installer():
    """A test of the finished image has no media, no typing and no server."""
    declared = Qemu(iso="a.iso", checksum="0" * 64, boot_command="<enter>", http={"a": "b"}, cd={"a": "b"})
    tested = declared.for_test(Artifact(kind="disk", id="x", outputs={"disk": "/out/x.qcow2"}))
    assert list(tested.check()) == []
    assert (tested.iso, tested.boot_command, tested.http, tested.cd, tested.floppy) == ((), (), None, None, None)


def test_firmware_of_ones_own(tmp_path, monkeypatch):
    """Each of the two files takes the place of the host's; a finished image is tested with the variables that were kept."""
    code, variables = tmp_path / "CODE.fd", tmp_path / "VARS.fd"
    code.touch()
    spec = Qemu(disk="a", firmware="uefi", uefi_code=code, keep_variables=True)
    assert list(spec.check()) == []
    assert code in set(spec.reads())
    monkeypatch.chdir(tmp_path)
    assert start.firmware_files(attrs.evolve(spec, uefi_code="CODE.fd")) == start.firmware_files(spec)
    assert start.firmware_files(spec) == (code, Path("/usr/share/OVMF/OVMF_VARS_4M.fd"))
    both = attrs.evolve(spec, uefi_variables=variables)
    assert start.firmware_files(both) is None
    assert {problem.where for problem in QemuSource(both).preflight(None)} == {"disk", "uefi_variables"}
    outputs = {"disk": "/out/x.qcow2", "uefi_variables": "/out/x-variables.fd"}
    tested = both.for_test(Artifact(kind="disk", id="x", outputs=outputs))
    assert (tested.uefi_variables, tested.keep_variables) == (Path("/out/x-variables.fd"), False)
    secure = Qemu(disk="a", firmware="uefi", secure_boot=True)
    assert [path.name for path in start.firmware_files(secure) or ()] == ["OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd"]


def test_looking_at_it_makes_no_other_machine(blank_disk):
    """Not for what is kept of its boot."""
    keys = {key_of_boot(Qemu(disk=blank_disk, vnc=shown)) for shown in (None, True, Vnc(password=Secret(value="p")))}
    assert len(keys) == 1
    assert Qemu(disk="a", vnc=False).vnc is None


def test_the_emulator_may_be_another_program():
    """Under another name, or elsewhere."""
    spec = Qemu(disk="a", binary="/usr/libexec/qemu-kvm")
    assert "/usr/libexec/qemu-kvm" in {tool.name for tool in spec.tools()}
    with pytest.raises(PluginError, match="'/usr/libexec/qemu-kvm' is not installed"):
        start.find_binary(spec)
    assert start.find_binary(Qemu(disk="a", binary="/usr/bin/qemu-system-x86_64")) == "/usr/bin/qemu-system-x86_64"


def test_a_kernel_is_an_installer_too():
    """With an empty disk and no seed, its files and downloads told; a test of the image has none of it."""
    declared = Qemu(
        kernel=Download("https://example.org/linux", "sha256:" + "0" * 64),
        initrd="initrd",
        kernel_args=["auto url=http://<http>/p ", Variable("more")],
        cdroms=["tools.iso", Download(["https://example.org/t.iso"], "none")],
        http={"p": "d-i"},
    )
    assert list(declared.check()) == []
    assert (declared.install_size, declared.seeded) == ("40 GiB", None)
    assert set(declared.reads()) == {Path("initrd"), Path("tools.iso")}
    assert declared.downloads() == {
        "https://example.org/linux": "sha256:" + "0" * 64,
        "https://example.org/t.iso": "none",
    }
    tested = declared.for_test(Artifact(kind="disk", id="x", outputs={"disk": "/out/x.qcow2"}))
    assert list(tested.check()) == []
    assert (tested.kernel, tested.initrd, tested.kernel_args, tested.cdroms) == (None, None, (), ())
