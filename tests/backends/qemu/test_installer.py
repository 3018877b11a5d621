"""Real machines that start from an ISO and get no further than its boot prompt: seconds each."""

import shutil
import string
import subprocess
import threading
import time
from pathlib import Path

import pytest

import packerpy as pp
from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.errors import GuestGone, NeverShown
from packerpy.backends.qemu.guest import find_guest
from packerpy.backends.qemu.installer import screen
from packerpy.backends.qemu.installer.typing import contains
from packerpy.communicators.none import NoCommunicator
from packerpy.errors import BuildError, CancelledError, SourceError
from packerpy.events import TaskMessage, TaskProgress
from packerpy.testing import make_run
from tests.installer.netboot import make_iso

PRINTABLE = string.ascii_letters + string.digits + string.punctuation


@pytest.fixture(scope="module")
def prompt_iso(tmp_path_factory) -> Path:
    """Boots to isolinux's prompt, on the screen and the serial console; there is nothing to boot behind it."""
    folder = tmp_path_factory.mktemp("iso")
    (folder / "linux").write_bytes(b"no kernel")
    (folder / "initrd.gz").write_bytes(b"")
    return make_iso(folder, folder / "prompt.iso")


def quick(iso, **given) -> Qemu:
    """The smallest machine that boots it."""
    values = {"iso": iso, "memory": "64 MiB", "cpus": 1, "accelerator": "tcg", "disk_size": "64 MiB"}
    return Qemu(**(values | {"boot_wait": 0, "key_interval": 0.02, "communicator": NoCommunicator()} | given))


def said(run) -> list[str]:
    """What the run told."""
    run.flush()
    return [event.text for event in run.events if isinstance(event, TaskMessage)]


def test_every_character_arrives_as_it_was_typed(run, prompt_iso):
    """All of ASCII that can be printed, echoed by the boot loader; then keys, the server's address, and a secret."""
    escaped = PRINTABLE.replace("\\", "\\\\").replace('"', '\\"')
    typed = PRINTABLE.replace("<", "<lt>")
    command = [f'<wait for "boot:">{typed}<wait for "{escaped}" 10>', "<leftCtrlOn>u<leftCtrlOff>"]
    command += ["<leftShiftOn>up<leftShiftOff> a<wait200ms>b <name>@<http> ", pp.Secret(value="s3cr3t<bs>"), "!"]
    command += ['<wait for "UP ab web@10.0.2.2:" 10><wait for "s3cr3t<bs>!" 10>']
    spec = quick(prompt_iso, boot_command=command, http={"a": "b"}, key_interval=0.1)
    assert list(spec.check()) == []
    machine = spec.load().boot(run)
    guest = find_guest(machine.id)
    assert contains(screen.read(guest, run.cancellation), "boot: UP ab web@10.0.2.2:")
    assert "s3cr3t" not in " ".join(said(run)[:-1]).replace("s3cr3t<bs>!", "")


def test_a_text_that_never_shows(run, prompt_iso):
    """The error says what was waited for, and carries the console, the text on the screen and a picture of it.

    Before, each step of the typing was told when its turn came.
    """
    steps = [('<wait for "boot:">', "see the prompt"), ["hello"], ('<wait for "login:" 1>', "log in")]
    spec = quick(prompt_iso, boot_steps=steps)
    assert list(spec.check()) == []
    with pytest.raises(NeverShown, match="'login:' did not show") as caught:
        spec.load().boot(run)
    told = str(caught.value)
    assert told.count("boot: hello") == 2
    assert "screen.png" in told
    assert "10m" in told
    assert [line for line in said(run) if "step" in line] == [
        "boot step 1 of 3: see the prompt",
        "boot step 3 of 3: log in",
    ]
    progress = [event for event in run.events if isinstance(event, TaskProgress)]
    assert [(event.done, event.total, event.unit) for event in progress] == [(n, 3, "boot steps") for n in range(3)]


def test_a_cancel_wakes_the_waiting(run, prompt_iso):
    """At once, in the middle of a long wait."""
    spec = quick(prompt_iso, boot_command='<wait for "boot:"><wait for "never" 1h>')
    threading.Timer(3, run.cancellation.request).start()
    before = time.monotonic()
    with pytest.raises(CancelledError):
        spec.load().boot(run)
    assert time.monotonic() - before < 60


def test_a_machine_that_ends_while_it_is_typed_at(run, prompt_iso):
    """Ctrl-Alt-Del with QEMU told to end at a reset."""
    command = '<wait for "boot:"><leftCtrlOn><leftAltOn><del><leftAltOff><leftCtrlOff><wait for "x" 1m>'
    spec = quick(prompt_iso, boot_command=command, extra_args=["-no-reboot"])
    with pytest.raises(GuestGone):
        spec.load().boot(run)


def test_cd_and_floppy_are_in_their_drives(run, prompt_iso):
    """QEMU has the images that were written: the installer's first, then ours, and the floppy."""
    spec = quick(prompt_iso, boot_wait=0, cd={"answers": "forty-two"}, floppy={"a.cfg": "forty-one"})
    machine = spec.load().boot(run)
    guest = find_guest(machine.id)
    drives = {
        entry["qdev"]: entry["inserted"]["file"] for entry in guest.qmp.execute("query-block") if "inserted" in entry
    }
    files = sorted(file for file in map(str, drives.values()) if "overlay" not in file)
    assert any(str(prompt_iso) in file for file in files)
    cd = next(Path(file) for file in files if file.endswith("cd.iso"))
    floppy = next(Path(file) for file in files if file.endswith("floppy.img"))
    assert b"forty-two" in cd.read_bytes()
    assert b"forty-one" in floppy.read_bytes()


@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize(
    ("interface", "drives"), [("virtio", "ide"), ("ide", "ide"), ("sata", "ide"), ("virtio", "virtio-scsi")]
)
def test_it_boots_on_every_machine_and_bus(run, prompt_iso, machine, interface, drives):
    """The drives find a free place beside the disks."""
    command = '<wait for "boot:" 1m>'
    buses = {"machine": machine, "disk_interface": interface, "cdrom_interface": drives}
    spec = quick(prompt_iso, boot_command=command, cd={"a": "b"}, floppy={"a": "b"}, **buses)
    assert list(spec.check()) == []
    assert spec.load().boot(run).id


def test_a_wrong_iso_is_not_booted(run, prompt_iso, tmp_path):
    """A checksum that does not fit; a file that is not there is told before anything starts."""
    with pytest.raises(BuildError, match="wrong checksum"):
        quick(prompt_iso, checksum="sha256:" + "0" * 64).load().boot(run)
    missing = quick(tmp_path / "no.iso")
    assert [problem.where for problem in missing.load().preflight(run)] == ["iso"]


def test_mirrors_and_a_file_of_checksums(run, prompt_iso, tmp_path):
    """The first place lacks it; the second is right by the publisher's file."""
    shutil.copy(prompt_iso, tmp_path / "prompt.iso")
    with (tmp_path / "SHA256SUMS").open("w") as file:
        subprocess.run(["sha256sum", "prompt.iso"], cwd=tmp_path, stdout=file, check=True)
    places = [(tmp_path / "gone" / "prompt.iso").as_uri(), tmp_path / "prompt.iso"]
    spec = quick(places, checksum=f"file:{tmp_path / 'SHA256SUMS'}", boot_command='<wait for "boot:" 1m>')
    assert list(spec.check()) == []
    spec.load().boot(run)
    assert any("trying the next place" in line for line in said(run))


def test_nothing_is_left_behind(prompt_iso, tmp_path):
    """Media, served content with its secret, blank disk and process go with the run."""
    run = make_run(tmp_path, name="web.qemu")
    spec = quick(prompt_iso, http={"a": pp.Secret(value="hunter2")}, cd={"a": "b"}, floppy={"a": "b"})
    machine = spec.load().boot(run)
    work, pid = run.workdir, find_guest(machine.id).pid
    assert (work / "media" / "http" / "a").read_text() == "hunter2"
    assert run.close(failed=True) == ()
    assert not work.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_character_that_no_key_types(run, prompt_iso):
    """A secret is only known when it is typed."""
    spec = quick(prompt_iso, boot_command=[pp.Secret(value="pässword")])
    with pytest.raises(SourceError, match="no key of a US keyboard"):
        spec.load().boot(run)


def test_text_memory_is_read_line_by_line():
    """Characters and colours alternate; empty lines are left out; the PC's own characters are known."""
    memory = bytearray(b"\x20\x07" * 80 * 3)
    for column, character in enumerate("a\u2502b".encode("cp437")):
        memory[160 + 2 * column] = character
    assert screen.text_of(bytes(memory)) == "a│b"


def test_blanks_do_not_matter():
    """A text that is broken over lines is found, even in the middle of a word."""
    assert contains("Press  an\ny key to", "any key")
    assert not contains("any keys", "any key to")


def test_a_graphic_screen_is_read_by_recognising_its_letters(run, prompt_iso, monkeypatch):
    """The prompt's picture, as if it were no text mode; without the program such a screen has no text."""
    monkeypatch.setattr(screen, "_TEXT_SIZES", frozenset())
    machine = quick(prompt_iso, boot_command='<wait for "boot:" 1m>').load().boot(run)
    shown = screen.read(find_guest(machine.id), run.cancellation)
    assert contains(shown, "Debian network installer")
    monkeypatch.setattr(screen, "OCR", "no-such-program")
    assert screen.read(find_guest(machine.id), run.cancellation) == ""
