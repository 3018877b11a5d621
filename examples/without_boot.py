"""An image built without starting a machine: the steps run in the tree of files, then it becomes a disk."""

import packerpy as pp

kiosk = pp.Image(
    "kiosk",
    source=pp.Bootstrap(
        suite="bookworm",
        packages=["nginx"],
        hostname="kiosk",
        users=[pp.User("operator", sudo=True)],
    ),
    provision=[
        pp.File(content="<h1>Please touch the screen</h1>\n", to="/var/www/html/index.html"),
        pp.Shell("systemctl enable nginx"),
    ],
    # Only a test boots it, and a tree cannot boot itself: `test_on` says what does.
    tests=[pp.Check("systemctl is-active nginx")],
    test_on=pp.Qemu(firmware="uefi"),
    post=[pp.Compress("zst", keep_input=True), pp.Convert("vhdx")],
)
