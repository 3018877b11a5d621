"""The whole flow in a moment: machines of the fake platform are folders, so a build script can be tried out on them."""

import packerpy as pp

first = pp.Image("first", source=pp.Fake(content="hello\n"), provision=[pp.Shell("echo from the first image")])

second = pp.Image(
    "second",
    source=pp.Fake(disk=first.output("disk")),
    provision=[pp.File(content="more\n", to="/more")],
    tests=[pp.Check("cat /more", stdout="more")],
    post=[[pp.Compress("zst"), pp.Checksum("sha256")], pp.Manifest()],
)
