"""A Debian web server: from packages to a tested qcow2 and VMDK."""

import packerpy as pp

PAGE = "<!doctype html><title>It works</title><h1>Built by packerpy</h1>\n"

base = pp.Image("debian-12", source=pp.Bootstrap(suite="bookworm", packages=["curl"], slim=True))

web = pp.Image(
    "web",
    source=pp.Qemu(disk=base.output("disk"), memory="1 GiB", cpus=2),
    provision=[
        pp.Shell(
            "apt-get update",
            "apt-get install --yes --no-install-recommends nginx",
            env={"DEBIAN_FRONTEND": "noninteractive"},
        ),
        pp.File(content=PAGE, to="/var/www/html/index.html"),
    ],
    tests=[pp.Check("curl -fsS http://localhost/", stdout="Built by packerpy")],
    post=[
        [pp.Checksum("sha256"), pp.Manifest()],
        [pp.Convert("vmdk"), pp.Checksum("sha256"), pp.Manifest()],
    ],
)

if __name__ == "__main__":
    result = pp.build(web)
    print(*result.files("web"), sep="\n")
