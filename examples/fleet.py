"""Ten images that differ in their last step: one boot and one installation for all of them."""

import packerpy as pp

ROLES = ("api", "batch", "cache", "chat", "database", "files", "mail", "metrics", "proxy", "web")

base = pp.Image("base", source=pp.Bootstrap(suite="bookworm", packages=["curl"], slim=True))

common = [
    pp.Shell("apt-get update", "apt-get install --yes --no-install-recommends nginx-light", sudo=True),
    pp.File(content="ssl_protocols TLSv1.3;\n", to="/etc/nginx/conf.d/tls.conf"),
]


def member(role: str) -> pp.Image:
    """One of the fleet: what all have, and its role."""
    return pp.Image(
        role,
        source=pp.Qemu(disk=base.output("disk"), memory="512 MiB", shutdown="fast"),
        provision=[*common, pp.File(content=f"{role}\n", to="/etc/role")],
    )


fleet = pp.Project([member(role) for role in ROLES], name="fleet")
