"""Debian, installed without an ISO: QEMU starts the installer's kernel; what it installs lets the build's key in."""

from pathlib import Path

import packerpy as pp

HERE = Path(__file__).parent
PRESEED = (HERE / "preseed" / "preseed.cfg").read_text()

answers = pp.text(
    PRESEED,
    # The last answer to a question counts.
    "\nd-i preseed/late_command string wget -q -O- ",
    pp.this_build.http_url,
    "/late.sh | sh\n",
)
late = pp.text(
    "mkdir -m 700 -p /target/root/.ssh\n",
    "echo '",
    pp.this_build.ssh_public_key,
    "' >/target/root/.ssh/authorized_keys\n",
)

debian = pp.Image(
    "debian-installed",
    source=pp.Qemu(
        kernel=pp.Variable("kernel", default="linux", description="of Debian's network installer"),
        initrd=pp.Variable("initrd", default="initrd.gz", description="likewise"),
        kernel_args=[
            "auto=true priority=critical url=http://<http>/preseed.cfg hostname=<name>",
            " mirror/http/hostname=",
            pp.Variable("mirror", description="the host of a Debian archive"),
            " mirror/http/directory=/debian console=ttyS0 DEBIAN_FRONTEND=text",
        ],
        http=pp.WebServer({"preseed.cfg": answers, "late.sh": late}, port=(8000, 9000)),
        disk_size="4 GiB",
        memory="1 GiB",
        install_timeout=2 * 60 * 60,
    ),
    provision=pp.Shell("passwd --lock root && apt-get clean"),
)
