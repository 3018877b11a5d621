"""The example with Ansible and Puppet, built for real; and what else needs a guest that is booted, in the same one."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.cli.load import load
from packerpy.values import Artifact

EXAMPLE = Path(__file__).parents[2] / "examples" / "ansible_and_puppet.py"

DOWNLOADED = "/srv/tree.deb"
"""A package in the base, put there where nothing is emulated; so the guest need not read all lists of packages."""

RESTARTS_ITSELF = "[ ! -e /once ] || exit 0; touch /once; sync; systemctl reboot; sleep 300"


def _more(folder: Path) -> list[pp.Step | pp.Packages | pp.Reboot | pp.Shell]:
    """Steps after those of the example."""
    big = folder / "big"
    big.write_bytes(b"x" * (1 << 20))
    return [
        pp.Packages(DOWNLOADED, update=False),
        pp.Step(pp.Shell("tree --version"), when={"id": "debian", "version_id": "12", "arch": "x86_64"}),
        pp.Step(pp.Shell("exit 9"), when={"family": "rhel"}),
        pp.Step(pp.Shell("sleep 1000 & trap '' TERM; sleep 1000"), timeout=5, continue_on_error=True),
        pp.Shell("! pgrep -x sleep"),
        pp.Shell("mkdir /mnt/full && mount -t tmpfs -o size=64k none /mnt/full"),
        pp.Step(pp.File(big, to="/mnt/full/big"), continue_on_error=True),
        pp.Step(pp.Shell("dd if=/dev/zero of=/mnt/full/more bs=64k count=9"), continue_on_error=True),
        pp.Step(pp.Shell(RESTARTS_ITSELF), retries=1),
        pp.Reboot(timeout=900, ready="systemctl is-active ssh || systemctl is-active sshd"),
        pp.Shell("test -e /once && ! mountpoint -q /mnt/full"),
    ]


@pytest.mark.live
@pytest.mark.timeout(1800)
def test_one_image_by_both(tmp_path: Path) -> None:
    """Both did their part; packages come, faults of the guest are told, and it comes back from restarts."""
    images = {image.name: image for image in load(str(EXAMPLE)).images}
    site, base = images["site"], images["base"]
    prepared = pp.Image(
        "base",
        sources=base.sources,
        provision=[pp.Packages("less"), pp.Shell("cd /srv", "apt-get download tree", f"mv tree_*.deb {DOWNLOADED}")],
    )
    (guest,) = site.sources
    whole = pp.Image(
        "site",
        attrs.evolve(guest, disk=prepared.output()),
        provision=[*site.provision, *_more(tmp_path)],
        tests=[*site.tests, pp.Check("tree --version")],
    )
    told: list[events.Event] = []
    result = pp.build(whole, output=tmp_path / "output", listeners=[told.append])
    (artifact,) = result.artifacts["site"]
    assert isinstance(artifact, Artifact)
    said = "\n".join(event.text for event in told if isinstance(event, events.TaskMessage))
    output = "\n".join(event.text for event in told if isinstance(event, events.TaskOutput))
    assert "PLAY RECAP" in output
    assert "did not end within 5 s and was killed" in said
    assert said.count("No space left on device") >= 2
    assert "try 1 of 2 failed" in said
    assert "not one that it is meant for" in said
