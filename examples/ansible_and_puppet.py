"""One image, configured by Ansible and by Puppet.

Ansible runs on this host and reaches the machine over SSH; Puppet runs in the machine, from files that are sent there.
"""

from pathlib import Path

import packerpy as pp

HERE = Path(__file__).parent / "ansible_and_puppet"

base = pp.Image("base", pp.Bootstrap(packages=["python3", "puppet-agent"], slim=True))

site = pp.Image(
    "site",
    pp.Qemu(disk=base.output(), memory="1 GiB"),
    provision=[
        pp.Ansible(
            HERE / "playbook.yml",
            groups=["web"],
            extra_vars={"release": pp.Variable("release", default="1.0")},
        ),
        pp.Puppet(HERE / "site.pp", modules=HERE / "modules", facts={"role": "web"}),
    ],
    tests=[
        pp.Check("cat /etc/issue.net", stdout="release 1.0"),
        pp.Check("cat /etc/motd", stdout="a web machine"),
    ],
)

if __name__ == "__main__":
    print(*pp.build(site).files("site"), sep="\n")
