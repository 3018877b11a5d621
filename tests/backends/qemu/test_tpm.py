"""A TPM beside the machine: real ones, which get no further than the boot prompt."""

import os
from pathlib import Path

import pytest

from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.errors import TpmDied
from packerpy.backends.qemu.guest import find_guest
from packerpy.backends.qemu.steps.tpm import StartTpm
from packerpy.communicators.none import NoCommunicator
from packerpy.testing import make_run
from tests.installer.netboot import make_iso


@pytest.fixture(scope="module")
def prompt_iso(tmp_path_factory) -> Path:
    """Boots to isolinux's prompt."""
    folder = tmp_path_factory.mktemp("iso")
    (folder / "linux").write_bytes(b"no kernel")
    (folder / "initrd.gz").write_bytes(b"")
    return make_iso(folder, folder / "prompt.iso")


def machine(iso: Path, **given) -> Qemu:
    """The smallest machine that boots it, with a TPM."""
    values = {"iso": iso, "memory": "64 MiB", "cpus": 1, "accelerator": "tcg", "disk_size": "64 MiB", "tpm": "2.0"}
    return Qemu(
        **(values | {"boot_wait": 0, "boot_command": '<wait for "boot:">', "communicator": NoCommunicator()} | given)
    )


def made_of(run) -> StartTpm:
    """How the machine's TPM can be found again."""
    (folder,) = run.workdir.glob("*/tpm")
    return StartTpm(folder=folder, socket=folder.parent / "tpm.sock", version="2.0")


@pytest.mark.parametrize(("version", "state"), [("2.0", "tpm2-00.permall"), ("1.2", "tpm-00.permall")])
def test_the_firmware_has_started_it(prompt_iso, tmp_path, version, state):
    """QEMU has the device, and the TPM has written down what the firmware told it; it ends with the machine."""
    run = make_run(tmp_path, name="web.qemu")
    spec = machine(prompt_iso, tpm=version)
    assert list(spec.check()) == []
    guest = find_guest(spec.load().boot(run).id)
    (told,) = guest.qmp.execute("query-tpm")
    assert told["model"] == "tpm-tis"
    step = made_of(run)
    assert (step.folder / state).stat().st_mode & 0o777 == 0o600
    found = step.find(run)
    assert found is not None
    assert run.close(failed=True) == ()
    assert not Path(f"/proc/{found.pid}").exists()
    assert not step.folder.exists()


def test_one_that_a_crash_left_is_found_and_ended(tmp_path):
    """By what the journal holds of it."""
    run = make_run(tmp_path)
    step = StartTpm(folder=tmp_path / "tpm", socket=tmp_path / "s", version="2.0")
    made = step.do(run)
    # In the instants in which one program becomes the next, the kernel shows no command line at all.
    found = next(filter(None, (step.find(run) for _ in range(1000))), None)
    assert found is not None
    assert found.pid == made.pid
    step.undo(run, found)
    made.child.wait(20)
    assert step.find(run) is None
    step.undo(run, found)
    run.close(failed=True)


def test_a_tpm_that_does_not_start(prompt_iso, tmp_path, monkeypatch):
    """The error says what the program said, not only that QEMU ended."""
    false = tmp_path / "bin" / "swtpm"
    false.parent.mkdir()
    false.write_text("#!/bin/sh\necho no entropy >&2\nexit 3\n")
    false.chmod(0o755)
    monkeypatch.setenv("PATH", f"{false.parent}:{os.environ['PATH']}")
    run = make_run(tmp_path, name="web.qemu")
    with pytest.raises(TpmDied, match=r"swtpm.*no entropy"):
        machine(prompt_iso).load().boot(run)
    assert run.close(failed=True) == ()
