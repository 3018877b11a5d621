"""What the caller chooses, and what nobody may see.

Try `packerpy build variables_and_secrets.py --var release=trixie`.
"""

import packerpy as pp

release = pp.Variable("release", default="bookworm", allowed=("bookworm", "trixie"), description="Debian release")
cpus = pp.Variable("cpus", default=2, description="processors of the machine that is built")
token = pp.Secret(env="REGISTRY_TOKEN")

base = pp.Image("base", source=pp.Bootstrap(suite=release, packages=["curl"]))

agent = pp.Image(
    "agent",
    source=pp.Qemu(disk=base.output("disk"), cpus=cpus),
    provision=[
        # An environment variable never stands in a command line, and its value is masked in all output.
        pp.Shell('printf "%s" "$TOKEN" | install -m 600 /dev/stdin /etc/agent-token', env={"TOKEN": token}, sudo=True),
        pp.File(content=release, to="/etc/agent-release"),
    ],
    tests=[pp.Check("test -s /etc/agent-token", sudo=True)],
)
