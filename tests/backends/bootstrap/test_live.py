"""Real trees from real packages, and the disks that they become, booted in plain QEMU."""

import hashlib
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import attrs
import pytest

from packerpy.backends.bootstrap import Bootstrap, User
from packerpy.communicators.local.channel import LocalChannel
from packerpy.testing import make_run
from packerpy.values import Artifact, Command

pytestmark = pytest.mark.live

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvb3RzdHJhcA me@here"

SPEC = Bootstrap(
    suite="bookworm",
    slim=True,
    size="1 GiB",
    hostname="reproduced",
    users=[User("dev", groups=["adm"], sudo=True, ssh_authorized_keys=[KEY])],
    hooks=["echo hooked > /etc/hooked"],
    format="raw",
    epoch=1700000000,
)

STEP = "apt-get update -q && apt-get install -yq cron && systemctl restart cron && sudo -n -u dev sudo -n id -un"


@attrs.frozen
class Built:
    """One build.

    :ivar seen: what commands in the tree printed, by what they were asked.
    """

    disk: Path
    artifact: Artifact
    seen: dict[str, str]
    leftovers: list[str]


def build(folder: Path, cache: Path) -> Built:
    """Make a disk, with one step between boot and capture."""
    folder.mkdir()
    run = make_run(folder, name="base")
    run.cache.mkdir(exist_ok=True)
    (run.cache / "apt").symlink_to(cache)
    source, failed = SPEC.load(), True
    try:
        assert list(source.preflight(run)) == []
        machine = source.boot(run)
        channel = machine.communicator.load().connect(run, machine)
        assert isinstance(channel, LocalChannel)
        questions = {
            "step": STEP,
            "running": "ps -e -o comm= | grep -c '[c]ron' || :",
            "hook": "cat /etc/hooked",
            "keys": "stat -c '%U %a' /home/dev/.ssh/authorized_keys; cat /home/dev/.ssh/authorized_keys",
            "docs": "ls /usr/share/man/man1 2>/dev/null | grep -c . || :",
        }
        done = {name: channel.run(Command(line=line)) for name, line in questions.items()}
        assert done["step"].ok, done["step"].stderr
        artifact = source.capture(run, machine, channel)
        failed = False
    finally:
        assert run.close(failed=failed) == ()
    left = [str(path) for path in [*(run.cache / "trees").iterdir(), *run.staging.glob(".*")]]
    left += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line]
    seen = {name: answer.stdout for name, answer in done.items()}
    return Built(Path(artifact.outputs["disk"]), artifact, seen, left)


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, download_cache: Path) -> Iterator[tuple[Built, Built]]:
    """The same image, built twice, at the same time."""
    folder = tmp_path_factory.mktemp("twice")
    (download_cache / "apt").mkdir(exist_ok=True)
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda name: build(folder / name, download_cache / "apt"), ("one", "two"))
    yield first, second
    first.disk.unlink()
    second.disk.unlink()


def test_equal_inputs_give_equal_disks(twice: tuple[Built, Built]) -> None:
    """With SOURCE_DATE_EPOCH two builds give the same disk byte for byte, a package installed by a step included."""
    first, second = (hashlib.file_digest(built.disk.open("rb"), "sha256").hexdigest() for built in twice)
    assert first == second


def test_steps_run_in_the_tree(twice: tuple[Built, Built]) -> None:
    """Packages install, services do not start, accounts, hooks and slimness are as declared; nothing is left."""
    for built in twice:
        assert built.seen["step"].splitlines()[-1] == "root"
        assert built.seen["running"].strip() == "0"
        assert built.seen["hook"] == "hooked\n"
        assert built.seen["keys"].splitlines() == ["dev 600", KEY]
        assert built.seen["docs"].strip() == "0"
        assert built.leftovers == []


def test_what_a_disk_holds(twice: tuple[Built, Built]) -> None:
    """The file system is sound; no machine id, host key, log or guard of ours is in it; facts say how to boot it."""
    built = twice[0]
    table = subprocess.run(["sfdisk", "--verify", built.disk], capture_output=True, text=True, check=True).stdout
    assert "No errors detected" in table
    place = f"{built.disk}?offset={10 << 20}"
    subprocess.run(["e2fsck", "-fn", place], capture_output=True, check=True)

    def listed(path: str) -> str:
        return subprocess.run(
            ["debugfs", "-R", f"ls -p {path}", place], capture_output=True, text=True, check=True
        ).stdout

    assert "ssh_host" not in listed("/etc/ssh")
    assert "policy-rc.d" not in listed("/usr/sbin")
    assert "dpkg.log" not in listed("/var/log")
    assert re.search(r"/machine-id/0?/", listed("/etc"))
    assert built.artifact.facts["seed"] == "packerpy"
    assert "epoch" not in built.artifact.facts


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_boots_to_a_login(base_disk: Path, tmp_path: Path, firmware: str) -> None:
    """The disk boots by itself in plain QEMU to a login prompt on the serial console, and its root has grown."""
    overlay = tmp_path / "overlay.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base_disk, overlay, "4G"]
    subprocess.run(create, check=True)
    argv = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "2"]
    argv += ["-display", "none", "-nic", "none", "-serial", "stdio", "-drive", f"file={overlay},if=virtio"]
    if firmware == "uefi":
        argv += ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-snapshot"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    watchdog = threading.Timer(800, process.kill)
    watchdog.start()
    try:
        text = _until(process.stdout, b"login: ")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
    assert "login: " in text, text[-3000:]
    assert "root grown to the disk" in text
    assert "ssh host keys made" in text
    assert "Failed" not in text


def _until(stream: IO[bytes], word: bytes) -> str:
    """What it says up to ``word``, or up to its end."""
    said = b""
    while word not in said and (chunk := stream.read1(4096)):  # type: ignore[attr-defined]
        said += chunk
    return said.decode(errors="replace")
