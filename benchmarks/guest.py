"""The guest that both sides build: one base disk, one kind of virtual hardware."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

import packerpy as pp
from benchmarks.packer import packer_build

_MEMORY = 512
_CPU = "max,la57=off"


@attrs.frozen
class Guest:
    """A Debian disk that both know how to log into.

    :ivar folder: where everything of one case is.
    :ivar disk: the base.
    :ivar key: the private key that the base knows; packerpy does not need it.
    """

    folder: Path
    disk: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Guest:
        """The base; not timed. One is enough for all cases, so it is kept beside their folders."""
        key, disk = folder.parent / "key", folder.parent / "base" / "base" / "base.qcow2"
        folder.mkdir(parents=True)
        if not disk.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
            # packer has no way to hand its key to such a guest, so the base knows one; packerpy seeds its own.
            public = key.with_suffix(".pub").read_text().strip()
            hook = f"install -d -m 700 /root/.ssh; echo '{public}' > /root/.ssh/authorized_keys"
            pp.build(pp.Image("base", pp.Bootstrap(suite="bookworm", hooks=[hook])), output=folder.parent / "base")
        return cls(folder, disk, key)

    @property
    def cache(self) -> Path:
        """The case's own cache."""
        return self.folder / "cache"

    def image(self, name: str, *lines: str, **options: Any) -> pp.Image:
        """An image on the base with one step a line; its machine is reached as the base's output itself would be."""
        source = pp.Qemu(
            disk=self.disk,
            memory=f"{_MEMORY} MiB",
            cpus=2,
            accelerator="tcg",
            cpu_model=_CPU,
            generalize=False,
            communicator=pp.GuestAgent(),
            **options,
        )
        return pp.Image(name, source, provision=[pp.Shell(line) for line in lines])

    def build(self, *images: pp.Image, **options: Any) -> pp.BuildResult:
        """Build with packerpy."""
        return pp.build(*images, output=self.folder / "packerpy", cache=self.cache, force=True, **options)

    def forget(self) -> None:
        """Make the next build a cold one; the verdict on kvm may stay."""
        for path in self.cache.glob("state.db*"):
            path.unlink()
        for store in ("layers", "results"):
            shutil.rmtree(self.cache / store, ignore_errors=True)

    def packer_build(self, builds: dict[str, Sequence[str]]) -> None:
        """Build with packer: name → one provisioner a line; several builds run in parallel, as is its way."""
        builders = [self._builder(name) for name in builds]
        provisioners = [
            {"type": "shell", "only": [name], "inline": [line]} for name, lines in builds.items() for line in lines
        ]
        packer_build(self.folder, {"builders": builders, "provisioners": provisioners})

    def _builder(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "qemu",
            "vm_name": f"{name}.qcow2",
            "iso_url": str(self.disk),
            "iso_checksum": "none",
            "disk_image": True,
            "use_backing_file": True,
            "skip_resize_disk": True,
            "qemu_img_args": {"create": ["-F", "qcow2"]},  # this old packer leaves out what QEMU asks for today
            "disk_size": "2G",
            "format": "qcow2",
            "accelerator": "tcg",
            "machine_type": "q35",
            "memory": _MEMORY,
            "cpus": 2,
            "headless": True,
            "net_device": "virtio-net",
            "disk_interface": "virtio",
            "disk_cache": "unsafe",
            "qemuargs": [["-cpu", _CPU], ["-device", "virtio-rng-pci"], ["-device", "virtio-net-pci,netdev=user.0"]],
            "boot_wait": "0s",
            "ssh_username": "root",
            "ssh_private_key_file": str(self.key),
            "ssh_timeout": "15m",
            "shutdown_command": "poweroff",
            "output_directory": str(self.folder / "packer" / name),
        }
