"""An installer of ten lines, for tests of how installers are started: it copies the second disk to the first and reboots.

Its kernel and its initial file system are those of a Debian disk; what it installs says so and powers the
machine off: a boot sector for BIOS.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import attrs

SAYS = "this is the installed system"
DISK = 16 << 20
"""Bytes of what is installed."""

_INSTALLER = """\
#!/usr/bin/sh
PATH=/usr/bin:/usr/sbin
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
modprobe virtio_pci
modprobe virtio_blk
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do sleep 1; done
dd if=/dev/vdb of=/dev/vda bs=1048576
sync
echo installed, rebooting
@END@ -f
"""
_ARGUMENTS = "rdinit=/installer console=ttyS0"


@attrs.frozen
class Tiny:
    """The installer's files.

    :ivar kernel: of a Debian for clouds.
    :ivar initrd: of the same, and the installer.
    """

    kernel: Path
    initrd: Path


def tiny_installer(base: Path, folder: Path, *, end: str = "reboot") -> Tiny:
    """Take it from a disk that has its root file system in its last partition.

    :param end: what it does when it is done, ``reboot`` or ``poweroff``.
    """
    raw = folder / "base.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", base, raw], check=True)
    table = json.loads(_output("sfdisk", "--json", raw))["partitiontable"]
    place = f"{raw}?offset={table['partitions'][-1]['start'] * table['sectorsize']}"
    names = [line.split("/")[5] for line in _output("debugfs", "-R", "ls -p /boot", place).splitlines() if line]
    made = Tiny(folder / "linux", folder / "initrd")
    for start, target in (("vmlinuz-", made.kernel), ("initrd.img-", folder / "original")):
        name = next(name for name in names if name.startswith(start))
        subprocess.run(["debugfs", "-R", f"dump /boot/{name} {target}", place], check=True, capture_output=True)
    raw.unlink()
    script = folder / "installer"
    script.write_text(_INSTALLER.replace("@END@", end))
    script.chmod(0o755)
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=folder, input=b"installer\n", check=True, capture_output=True
    ).stdout
    made.initrd.write_bytes(packed + (folder / "original").read_bytes())
    return made


def bios_disk(target: Path) -> Path:
    """A boot sector that writes its sentence to the serial port and tells q35's power controller to switch off."""
    code = bytes.fromhex(
        "31c0 8ed8 be1c7c"  # data segment 0; the sentence is at 0x7c1c
        "ac 84c0 7406 baf803 ee ebf5"  # its next character to the serial port, until the zero at its end
        "ba0406 b80020 ef f4"  # power state S5
    )
    sector = code.ljust(28, b"\x90") + f"{SAYS}\r\n\0".encode()
    target.write_bytes(sector.ljust(510, b"\0") + b"\x55\xaa" + bytes(DISK - 512))
    return target


def arguments(more: str = "") -> str:
    """Of the installer's kernel."""
    return f"{_ARGUMENTS} {more}"


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
