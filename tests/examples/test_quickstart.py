"""The quickstart, built as a user would build it; its disks then boot in plain QEMU, without anything of packerpy's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.start import firmware_files
from tests.communicators.ssh.sshd_server import free_port
from tests.conftest import Quickstart

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

PATIENCE = 400
"""Seconds for a boot; under emulation on a busy host it took up to 150."""


@pytest.fixture(scope="module")
def built(quickstart: Quickstart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of `packerpy build examples/quickstart.py`; its base may be there from another test."""
    log = tmp_path_factory.mktemp("log") / "log"
    command = [sys.executable, "-m", "packerpy.cli.main", "build", quickstart.file, "--output", quickstart.output]
    environment = {**os.environ, "PACKERPY_CACHE_DIR": str(quickstart.cache)}
    with log.open("w") as file:
        ended = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
    assert ended.returncode == 0, log.read_text()[-5000:]
    return quickstart.output


def test_the_results_are_whole(built: Path) -> None:
    """qcow2, VMDK, a checksum that fits beside each, and a manifest that names both; nothing hidden is left."""
    web = built / "web"
    assert {path.name for path in web.iterdir()} == {
        "manifest.json",
        "web.qcow2",
        "web.qcow2.sha256",
        "web.vmdk",
        "web.vmdk.sha256",
    }
    for name in ("web.qcow2", "web.vmdk"):
        with (web / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        assert (web / f"{name}.sha256").read_text() == f"{digest}  {name}\n"
        subprocess.run(["qemu-img", "check", web / name], check=True, capture_output=True)
    manifest = json.loads((web / "manifest.json").read_text())
    assert {build["artifact_id"] for build in manifest["builds"]} == {"web.qcow2", "web.vmdk"}
    assert [path.name for path in built.iterdir() if path.name.startswith(".")] == []


def test_qemu_img_knows_the_vmdk(built: Path) -> None:
    """`qemu-img info` calls it a VMDK of the disk's size, and it holds what the qcow2 holds."""
    vmdk, qcow2 = built / "web" / "web.vmdk", built / "web" / "web.qcow2"
    told = subprocess.run(["qemu-img", "info", "--output=json", vmdk], check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["format"] == "vmdk"
    subprocess.run(["qemu-img", "compare", vmdk, qcow2], check=True, capture_output=True)


@pytest.mark.parametrize(("name", "firmware"), [("web.qcow2", "bios"), ("web.vmdk", "uefi")])
def test_the_disk_boots_and_answers(built: Path, tmp_path: Path, name: str, firmware: str) -> None:
    """Started by hand with either firmware and no seed, the machine serves its page."""
    with guest(built / "web" / name, firmware, tmp_path) as port:
        assert "Built by packerpy" in page(port, tmp_path / "console")


@contextmanager
def guest(disk: Path, firmware: str, folder: Path) -> Iterator[int]:
    """Plain QEMU on a disk that stays as it is; yields the port that leads to the guest's web server."""
    port = free_port()
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "1024", "-smp", "2", "-display", "none"]
    command += ["-serial", f"file:{folder / 'console'}", "-snapshot"]
    if firmware == "uefi":
        files = firmware_files(Qemu(disk=disk))
        assert files is not None, "apt-get install ovmf"
        code, variables = files
        own = shutil.copy(variables, folder / "variables.fd")
        command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"]
        command += ["-drive", f"if=pflash,unit=1,format=raw,file={own}"]
    command += ["-drive", f"file={disk},format={disk.suffix[1:]},if=virtio"]
    command += ["-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:80"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield port
    finally:
        process.kill()
        process.communicate()


def page(port: int, console: Path) -> str:
    """What the web server says, as soon as it says something; QEMU holds a connection until the guest takes it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.5)  # nobody tells us when a server inside a guest is there
    raise AssertionError(
        f"no answer within {PATIENCE} s; the console's end:\n{console.read_text(errors='replace')[-3000:]}"
    )
