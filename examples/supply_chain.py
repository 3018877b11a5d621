"""An image that says what is in it and where it comes from, signed.

Make a key first: `openssl genpkey -algorithm ed25519 -out signing-key.pem`, and name it:
`SIGNING_KEY="$(cat signing-key.pem)" packerpy build supply_chain.py`.
"""

from pathlib import Path

import packerpy as pp
from packerpy.contracts import Run

KEY = pp.Secret(env="SIGNING_KEY")

base = pp.Image("debian-12", source=pp.Bootstrap(suite="bookworm", packages=["curl"], slim=True))


def weigh(artifact: pp.Artifact) -> None:
    """A rule of the house: any function can stand in a chain, and what it raises fails the build."""
    (disk,) = (path for path in artifact.files if path.suffix == ".qcow2")
    assert disk.stat().st_size < 2 * 2**30, "the image is larger than our mirror takes"


def notes(artifact: pp.Artifact, run: Run) -> list[Path]:
    """Adds a file to the results."""
    target = run.staging / "NOTES.txt"
    target.write_text(f"{artifact.id}, built by run {run.id}\n")
    return [*artifact.files, target]


server = pp.Image(
    "server",
    source=pp.Qemu(disk=base.output("disk"), memory="1 GiB"),
    provision=[
        pp.Shell("apt-get update", "apt-get install --yes --no-install-recommends nginx", sudo=True),
        pp.Sysprep(disable=["logfiles"]),
    ],
    tests=[pp.Check("systemctl is-active nginx")],
    post=[
        [
            weigh,
            pp.Sbom("cyclonedx", "spdx"),
            notes,
            pp.Provenance(KEY, builder_id="https://ci.example.org/images"),
            pp.Checksum("sha256", output="SHA256SUMS"),
        ],
        [pp.Compress("zst"), pp.Manifest("build/manifest.json")],
    ],
)
