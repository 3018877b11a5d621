"""One web server for Amazon by two roads: from a disk that was built here, and from an instance there."""

import packerpy as pp

debian = pp.Variable(
    "debian_ami",
    default="ami-0123456789abcdef0",
    description="Debian 12 in eu-west-1; or put newest_ami(…) in its place",
)

steps = [
    pp.Shell("apt-get update && apt-get install --yes --no-install-recommends nginx", sudo=True),
    pp.Shell("systemctl enable nginx", sudo=True),
]

base = pp.Image("base", source=pp.Bootstrap(suite="bookworm", packages=["cloud-init"]))

# Built and tested without Amazon; then its blocks become a snapshot and an AMI in both regions at once.
from_disk = pp.Image(
    "from-disk",
    source=pp.Qemu(disk=base.output("disk")),
    provision=steps,
    tests=[pp.Check("systemctl is-active nginx")],
    post=[pp.amazon.DirectAMI(ami_name="web-from-disk", regions=["eu-west-1", "us-east-1"])],
)

# The usual way: an instance is started, provisioned and imaged; the second region gets a copy.
from_instance = pp.Image(
    "from-instance",
    source=pp.amazon.EBS(
        ami_name="web-from-instance",
        source_ami=debian,
        instance_type="t3.small",
        user="admin",
        region="eu-west-1",
        regions=["us-east-1"],
        tags={"role": "web"},
    ),
    provision=steps,
)
