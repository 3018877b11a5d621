"""A whole unattended installation of Debian from examples/installer.py; its result boots in plain QEMU.

It takes an hour under emulation, so it is not collected with the other tests: `nox -s installer` runs it. The mirror is
the one that apt of this host uses.
"""

from __future__ import annotations

import shutil
import time
import urllib.parse
from pathlib import Path

import pytest

import packerpy as pp
from packerpy.backends.bootstrap.mirrors import host_entries
from packerpy.cli.load import load
from packerpy.testing import make_run
from packerpy.values import Command
from tests.installer.netboot import Archive, make_iso, netboot_images, with_components

EXAMPLE = Path(__file__).parents[2] / "examples" / "installer.py"
RELEASE, SUITE = 13, "trixie"
"""What is installed. The network installer of Debian 12 needs a mirror with all of its components."""

pytestmark = [pytest.mark.live, pytest.mark.timeout(3 * 60 * 60)]


@pytest.fixture
def mirror() -> str:
    """Debian's archive as this host reaches it."""
    uris = [entry.uri for entry in host_entries(Path("/etc/apt")) if "/debian" in entry.uri and "-" not in entry.suite]
    assert uris, "no archive of Debian stands in the configuration of apt"
    return uris[0].rstrip("/")


def test_debian_is_installed_and_boots(mirror: str, tmp_path: Path) -> None:
    """From an empty disk to a system that reboots by itself, answers over SSH, is captured, and boots again."""
    archive = Archive(mirror, SUITE, tmp_path)
    images = netboot_images(archive, RELEASE, tmp_path / "images")
    extra = with_components(archive, images / "initrd.gz", tmp_path)
    iso = make_iso(images, tmp_path / "netboot.iso", extra=extra)
    shutil.rmtree(tmp_path / "images")
    place = urllib.parse.urlsplit(mirror)
    variables = {"iso": str(iso), "mirror": place.netloc, "mirror_path": place.path}
    started = time.monotonic()
    result = pp.build(load(str(EXAMPLE)).images, variables=variables, output=tmp_path / "output")
    print(f"installed and captured in {(time.monotonic() - started) / 60:.1f} minutes")  # noqa: T201  for the docs
    (disk,) = result.files("debian-installed")
    assert boots(disk, tmp_path)


def boots(disk: Path, folder: Path) -> bool:
    """Whether the disk, started alone, lets us in as the installer was told."""
    (folder / "again").mkdir()
    run = make_run(folder / "again")
    spec = pp.Qemu(disk=disk, seed=None, communicator=pp.SSH(password="installer", timeout=1800))
    source = spec.load()
    machine = source.boot(run)
    try:
        channel = machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
        try:
            return channel.run(Command(line="grep -q '^ID=debian' /etc/os-release")).ok
        finally:
            channel.close()
    finally:
        assert run.close(failed=True) == ()
