"""Where a machine's disks come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.backends.qemu import images
from packerpy.backends.qemu.errors import DiskMissing
from packerpy.backends.qemu.specs import DiskOrigin, Qemu
from packerpy.contracts import Run
from packerpy.declare import Later, Output
from packerpy.errors import DeclarationError, SourceError
from packerpy.kit.checksum import verify
from packerpy.kit.download import download
from packerpy.values import Artifact


@attrs.frozen(kw_only=True)
class Origin:
    """A disk on this host that a machine starts from.

    :ivar path: the file.
    :ivar format: its format.
    :ivar virtual_size: bytes that the guest sees.
    :ivar facts: what its artifact tells: ``user``, ``seed``, ``agent``, …; empty for a mere file.
    """

    path: Path
    format: str
    virtual_size: int
    facts: Mapping[str, str] = attrs.field(factory=dict)


def boot_disk(run: Run, spec: Qemu) -> Origin:
    """Find (or fetch) the declared boot disk and check it.

    :raises SourceError: it is missing or unreadable.
    :raises packerpy.errors.BuildError: it cannot be fetched, or its checksum is wrong.
    """
    path, facts = _locate(run, spec.disk, spec)
    told = facts.get("format")
    looked = images.info(run, path, form=told)
    return Origin(path=path, format=looked.format, virtual_size=looked.virtual_size, facts=facts)


def _locate(run: Run, disk: DiskOrigin | None, spec: Qemu) -> tuple[Path, Mapping[str, str]]:
    if isinstance(disk, Later):
        raise DeclarationError(f"disk is still {disk.shown}, without a value")
    if disk is None:
        raise DeclarationError("there is no disk to boot from", resolution="give disk= an output, a file or a URL")
    checksum = spec.checksum if isinstance(spec.checksum, str) and spec.checksum != "none" else None
    if isinstance(disk, str):
        return download(run, disk, checksum=checksum), {}
    if isinstance(disk, Path):
        path, facts = disk.expanduser().absolute(), dict[str, str]()
    else:
        artifact = run.artifact(disk) if isinstance(disk, Output) else disk
        path, facts = _disk_of(artifact, disk.name if isinstance(disk, Output) else "disk"), dict(artifact.facts)
    if not path.is_file():
        raise DiskMissing(path)
    if checksum is not None:
        verify(path, checksum, run.cancellation)
    return path, facts


def _disk_of(artifact: Artifact, output: str) -> Path:
    if output not in artifact.outputs:
        has = ", ".join(artifact.outputs) or "none"
        raise SourceError(
            f"the artifact {artifact.id} has no output {output!r}",
            details=f"its outputs: {has}",
            resolution="name the output that is a disk image",
        )
    return Path(artifact.outputs[output])
