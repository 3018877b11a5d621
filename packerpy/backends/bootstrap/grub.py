"""The boot loader: one menu, one core for BIOS and one for UEFI, made by the tree's own GRUB."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import attrs

from packerpy.backends.bootstrap.prepare import execute
from packerpy.contracts import Communicator, Run

_MODULES = (
    "part_gpt ext2 search search_fs_uuid configfile normal linux serial terminal echo test minicmd sleep reboot halt "
    "ls cat all_video"
)
"""All that the menu and a look around need: a core that needs no further file has fewer ways to fail."""

_MENU = """\
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set default=0
set timeout=0
search --no-floppy --fs-uuid --set=root {root}
# These links are kept by the kernel's packages.
menuentry "Linux" {{
    linux /vmlinuz root=UUID={root} ro {arguments}
    initrd /initrd.img
}}
menuentry "Linux, the kernel before" {{
    linux /vmlinuz.old root=UUID={root} ro {arguments}
    initrd /initrd.img.old
}}
"""

_EARLY = """\
search --no-floppy --fs-uuid --set=root {root}
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
"""


@attrs.frozen(kw_only=True)
class Grub:
    """Files that go outside of the root file system.

    :ivar boot: the boot sector for BIOS.
    :ivar core: what it loads.
    :ivar efi: the same for UEFI.
    """

    boot: Path
    core: Path
    efi: Path


def make_grub(run: Run, channel: Communicator, shared: Path, root: UUID, arguments: str) -> Grub:
    """Write the menu into the tree and make both cores.

    :param shared: a folder of the host that is ``/run`` in the tree.
    :param arguments: of the kernel.
    :raises packerpy.errors.SourceError: GRUB is not in the tree any more, or failed.
    """
    folder = shared / "grub"
    folder.mkdir(exist_ok=True)
    (folder / "early.cfg").write_text(_EARLY.format(root=root), encoding="ascii")
    (folder / "grub.cfg").write_text(_MENU.format(root=root, arguments=arguments), encoding="utf-8")
    lines = (
        "set -eu",
        "umask 022",
        "for link in /vmlinuz /initrd.img; do",
        '    [ -s "$link" ] || { echo "there is no kernel: $link leads nowhere" >&2; exit 1; }',
        "done",
        "mkdir -p /boot/grub",
        "cp /run/grub/grub.cfg /boot/grub/grub.cfg",
        "cp /usr/lib/grub/i386-pc/boot.img /run/grub/boot.img",
        f"grub-mkimage -O i386-pc -o /run/grub/core.img -c /run/grub/early.cfg -p /boot/grub biosdisk {_MODULES}",
        f"grub-mkimage -O x86_64-efi -o /run/grub/grub.efi -c /run/grub/early.cfg -p /boot/grub fat {_MODULES}",
    )
    execute(run, channel, "\n".join(lines), "making the boot loader")
    return Grub(boot=folder / "boot.img", core=folder / "core.img", efi=folder / "grub.efi")
