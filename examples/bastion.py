"""A machine on a network that only a bastion sees, which only a proxy reaches.

The keys are the SSH agent's, the bastion's host key must stand in ~/.ssh/known_hosts. `Qemu` stands for any source.
"""

import packerpy as pp

inside = pp.SSH(
    proxy=pp.Proxy(host="proxy.example.org", protocol="http", user="builder", password=pp.Secret(env="PROXY_PASSWORD")),
    bastions=[pp.Bastion(host="gate.example.org", user="builder", agent=True)],
    # The machine fetches packages from a mirror that only this host can reach.
    remote_tunnels=["3142:mirror.example.org:80"],
    read_write_timeout=60,
)

base = pp.Image("base", source=pp.Bootstrap(suite="bookworm"))

web = pp.Image(
    "web",
    source=pp.Qemu(disk=base.output("disk"), communicator=inside),
    provision=[pp.Shell("http_proxy=http://localhost:3142 apt-get install -y nginx", sudo=True)],
)
