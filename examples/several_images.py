"""Three servers from one base: the base is built once, then the three in parallel."""

import packerpy as pp

base = pp.Image("base", source=pp.Bootstrap(suite="bookworm", packages=["curl", "unattended-upgrades"]))


def server(name: str, package: str, check: pp.Check) -> pp.Image:
    """One server: the base, a package, a check."""
    return pp.Image(
        name,
        source=pp.Qemu(disk=base.output("disk")),
        provision=[pp.Shell("apt-get update", f"apt-get install --yes --no-install-recommends {package}", sudo=True)],
        tests=[check],
        post=[pp.Compress("zst", keep_input=True)],
    )


fleet = pp.Project(
    [
        server("web", "nginx", pp.Check("curl -fsS http://localhost/")),
        server("cache", "redis-server", pp.Check("redis-cli ping", stdout="PONG")),
        server("database", "postgresql", pp.Check("pg_isready")),
    ],
    name="fleet",
)
