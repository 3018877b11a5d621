"""Our own files in the tree: first boot, network, SSH, a small initramfs, a quick start."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from uuid import UUID

from packerpy.backends.bootstrap.specs import Bootstrap

SYSTEM = "etc/systemd/system"

_FILES = {
    "firstboot": ("usr/lib/packerpy/firstboot", 0o755),
    "resolv": ("usr/lib/packerpy/resolv", 0o755),
    "firstboot.service": (f"{SYSTEM}/packerpy-firstboot.service", 0o644),
    "late-seed.service": (f"{SYSTEM}/packerpy-late-seed.service", 0o644),
    "late-seed.rules": ("etc/udev/rules.d/90-packerpy-seed.rules", 0o644),
    "resolv.path": (f"{SYSTEM}/packerpy-resolv.path", 0o644),
    "resolv.service": (f"{SYSTEM}/packerpy-resolv.service", 0o644),
    "dhcp.network": ("etc/systemd/network/80-packerpy.network", 0o644),
    "sshd.conf": ("etc/ssh/sshd_config.d/10-packerpy.conf", 0o644),
    "ssh-service.conf": (f"{SYSTEM}/ssh.service.d/packerpy.conf", 0o644),
    "initramfs-hook": ("etc/initramfs-tools/hooks/packerpy", 0o755),
    "initramfs-top": ("etc/initramfs-tools/scripts/init-top/udev", 0o755),
    "initramfs-bottom": ("etc/initramfs-tools/scripts/init-bottom/udev", 0o755),
}

_MASKED = (
    # Each of them costs a program or more at every boot, and a server image is nothing without them but quicker.
    "getty-static.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-repart.service",
    "systemd-firstboot.service",
    "systemd-initctl.socket",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
)
"""Units that stay out until ``systemctl unmask`` is told; mounts come by themselves when something needs them."""

_MASKED_GENERATORS = ("gpt-auto", "hibernate-resume", "integritysetup", "veritysetup")

_GRUB = """\
# For update-grub, should it be called; the menu that came with the image needs no update.
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISABLE_OS_PROBER=true
GRUB_CMDLINE_LINUX="{arguments}"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
"""

SLIM = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
)
"""What dpkg is told to leave out."""


def write_overlay(spec: Bootstrap, folder: Path, root_id: UUID) -> Path:
    """Write them below ``folder``, which is copied over the tree before most packages are unpacked.

    :param root_id: of the root file system that is to be made.
    """
    for name, (target, mode) in _FILES.items():
        _put(folder / target, files(__package__).joinpath("files", name).read_text(encoding="utf-8"), mode)
    for target, text in _texts(spec, root_id):
        _put(folder / target, text)
    for target, link in _links():
        path = folder / target
        _folder(path.parent)
        path.symlink_to(link)
    folder.chmod(0o755)
    return folder


def command_line(spec: Bootstrap) -> str:
    """Arguments of the kernel, but for the root: both consoles, and no self-tests of ciphers, which cost a second."""
    return " ".join(("console=tty0", "console=ttyS0,115200", "cryptomgr.notests", *spec.kernel_args))


def _texts(spec: Bootstrap, root_id: UUID) -> Iterable[tuple[str, str]]:
    yield "etc/fstab", f"UUID={root_id} / ext4 errors=remount-ro 0 1\n"
    yield "etc/hostname", f"{spec.hostname}\n"
    yield "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\n"
    yield "etc/default/locale", f"LANG={spec.locale}\n"
    # The boot loader's menu names these links, so that it never changes.
    yield "etc/kernel-img.conf", "do_symlinks = yes\nimage_dest = /\n"
    yield "etc/initramfs-tools/conf.d/packerpy", "MODULES=list\nCOMPRESS=zstd\nRESUME=none\nFSTYPE=ext4\n"
    yield "etc/default/grub", _GRUB.format(arguments=command_line(spec))
    if spec.slim:
        yield "etc/dpkg/dpkg.cfg.d/packerpy-slim", "\n".join(SLIM) + "\n"
        # Translated descriptions are two fifths of what `apt-get update` downloads.
        yield "etc/apt/apt.conf.d/90packerpy-slim", 'Acquire::Languages "none";\n'


def _links() -> Iterable[tuple[str, str]]:
    yield "etc/resolv.conf", "/run/packerpy/resolv.conf"
    yield f"{SYSTEM}/multi-user.target.wants/packerpy-firstboot.service", "../packerpy-firstboot.service"
    yield f"{SYSTEM}/multi-user.target.wants/packerpy-resolv.path", "../packerpy-resolv.path"
    yield f"{SYSTEM}/multi-user.target.wants/systemd-networkd.service", "/lib/systemd/system/systemd-networkd.service"
    # The modules for them are there, so that GRUB's menu may load some, and are kept up to date by their packages.
    yield "boot/grub/i386-pc", "/usr/lib/grub/i386-pc"
    yield "boot/grub/x86_64-efi", "/usr/lib/grub/x86_64-efi"
    for unit in _MASKED:
        yield f"{SYSTEM}/{unit}", "/dev/null"
    for name in _MASKED_GENERATORS:
        yield f"etc/systemd/system-generators/systemd-{name}-generator", "/dev/null"


def _put(path: Path, text: str, mode: int = 0o644) -> None:
    _folder(path.parent)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _folder(path: Path) -> None:
    """Folders have the usual mode, whatever our own mask is: they are copied as they are."""
    if not path.exists():
        _folder(path.parent)
        path.mkdir()
        path.chmod(0o755)
