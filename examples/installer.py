"""Debian, installed by its own installer: the ISO boots, the boot command is typed, the answers come by HTTP."""

from pathlib import Path

import packerpy as pp

HERE = Path(__file__).parent

debian = pp.Image(
    "debian-installed",
    source=pp.Qemu(
        iso=pp.Variable("iso", default="debian-netinst.iso", description="Debian's installer; boots to a prompt"),
        disk_size="4 GiB",
        memory="1 GiB",
        boot_command=[
            '<wait for "boot:" 2m>',
            "install auto=true priority=critical url=http://<http>/preseed.cfg",
            " mirror/http/hostname=",
            pp.Variable("mirror", description="the host of a Debian archive"),
            " mirror/http/directory=",
            pp.Variable("mirror_path", default="/debian"),
            " console=ttyS0 DEBIAN_FRONTEND=text<enter>",
        ],
        boot_wait=1,
        http=HERE / "preseed",
        communicator=pp.SSH(password="installer", timeout=2 * 60 * 60),  # it ends when the installed system answers
    ),
    provision=pp.Shell("apt-get clean"),
)
