"""From a disk to AMIs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.amazon import finish, preflight, registering, watch
from packerpy.backends.amazon.api import Cloud, cloud
from packerpy.backends.amazon.direct import log, parent
from packerpy.backends.amazon.direct.blocks import blocks, count, size_in_gib
from packerpy.backends.amazon.direct.upload import Target, upload
from packerpy.backends.amazon.errors import NameTaken
from packerpy.backends.amazon.gone import LooksAtAmazon
from packerpy.backends.amazon.specs.direct import QEMU_IMG, DirectAMI
from packerpy.backends.amazon.steps.snapshot import StartSnapshot
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PostProcessError
from packerpy.kit import process
from packerpy.kit.sizes import parse_size
from packerpy.values import Artifact, Processed

_BOOT_MODES = {"bios": "legacy-bios", "uefi": "uefi", "bios,uefi": "uefi-preferred"}
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@attrs.frozen
class Worker(LooksAtAmazon, PostProcessor):
    """Carries out a :class:`DirectAMI`."""

    spec: DirectAMI

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Fill a snapshot in each region, register an image of each."""
        clouds = [cloud(run, self.spec.access, region) for region in self.spec.regions]
        self._look(clouds)
        with self._raw(run, artifact) as disk, ExitStack() as stack:
            targets = [self._target(at, disk, stack) for at in clouds]
            put = upload(run, blocks(disk), targets, workers=self.spec.workers, total=count(disk))
            run.say(f"put {put} blocks of {count(disk)} for each of {len(targets)} regions")
            for target in targets:
                self._complete(run, target)
            size = size_in_gib(disk)
        images = {target.at.region: self._register(target, artifact, size) for target in targets}
        facts = {key: value for key, value in artifact.facts.items() if key not in ("format", "virtual_size")}
        facts |= {f"snapshot:{target.at.region}": target.snapshot for target in targets}
        made = finish.artifact(images, facts | {"name": self.spec.ami_name}, "packerpy.amazon.direct_ami")
        return Processed(artifact=made)

    def _look(self, clouds: list[Cloud]) -> None:
        """What can be known before anything is made."""
        for at in clouds:
            if not self.spec.force_deregister and (taken := preflight.existing(at, self.spec.ami_name)):
                raise NameTaken(self.spec.ami_name, at.region, taken)

    @contextmanager
    def _raw(self, run: Run, artifact: Artifact) -> Iterator[Path]:
        """The disk as a raw file; one of another format is converted, with holes where nothing is."""
        named = artifact.outputs.get(self.spec.output)
        if named is None:
            raise PostProcessError(
                f"{artifact.id} has no output {self.spec.output!r}",
                resolution=f"it has: {', '.join(sorted(artifact.outputs)) or 'none'}",
            )
        source = Path(named)
        form = artifact.facts.get("format", "raw")
        if form == "raw":
            yield source
            return
        tool = process.find_tool(QEMU_IMG.name, package=QEMU_IMG.package, needed_for=QEMU_IMG.needed_for)
        target = run.staging / f".{source.name}.raw"
        try:
            argv: list[str | Path] = [tool, "convert", "-f", _driver(form), "-O", "raw", source, target]
            process.call(argv, cancellation=run.cancellation, error=PostProcessError, label=f"reading {source.name}")
            yield target
        finally:
            target.unlink(missing_ok=True)

    def _target(self, at: Cloud, disk: Path, stack: ExitStack) -> Target:
        """The snapshot of one region: a new one, or one that a dead run has begun."""
        mother = self.spec.parents.get(at.region)
        request: dict[str, Any] = {
            "VolumeSize": size_in_gib(disk),
            "Description": self.spec.description or f"disk of {self.spec.ami_name}",
            "ParentSnapshotId": mother,
            "Encrypted": self.spec.encrypted or None,
            "KmsKeyArn": self.spec.kms_keys.get(at.region),
            "Timeout": 1440,
        }
        if mother is not None:  # the child of a snapshot is encrypted as that is
            request |= {"Encrypted": None, "KmsKeyArn": None}
        request = {name: value for name, value in request.items() if value is not None}
        what = {"region": at.region, "endpoint": str(at.access.endpoint_url), "name": self.spec.ami_name}
        written = log.UploadLog(at.run.cache / "amazon" / "uploads", what | {"request": repr(sorted(request.items()))})
        stack.callback(written.close)
        inherited = None if mother is None else parent.digests(at, mother, _known(at.run), self.spec.workers)
        if inherited is not None:
            stack.callback(inherited.close)
        step = StartSnapshot(
            access=at.access,
            region=at.region,
            token=new_token(),
            tags={**self.spec.tags, **self.spec.snapshot_tags},
            request=request,
            adopt=_resumable(at, written),
        )
        snapshot = at.run.keep(step)
        if step.adopt is None:
            written.begin(snapshot)
        else:
            at.run.say(f"going on with {snapshot} in {at.region}, which has {written.done.count()} blocks")
        return Target(at, snapshot, written, inherited)

    def _complete(self, run: Run, target: Target) -> None:
        target.complete()
        watch.snapshot_completed(target.at, target.snapshot)
        layers = (target.log.done,) if target.parent is None else (target.parent, target.log.done)
        log.remember(_known(run), target.snapshot, *layers)
        target.log.end()

    def _register(self, target: Target, artifact: Artifact, size: int) -> str:
        at = target.at
        volume = {
            "SnapshotId": target.snapshot,
            "VolumeSize": self._volume_size(size),
            "VolumeType": self.spec.volume_type,
            "DeleteOnTermination": True,
        }
        request = registering.of_disks(
            self.spec,
            root=self.spec.root_device,
            mappings=[{"DeviceName": self.spec.root_device, "Ebs": volume}],
            architecture=_ARCHITECTURES.get(artifact.facts.get("architecture", "")),
            boot_mode=_BOOT_MODES.get(artifact.facts.get("firmware", "")),
        )
        image = registering.register(at, self.spec, request)
        finish.settle(at, self.spec, image)
        return image

    def _volume_size(self, size: int) -> int:
        """GiB: the disk's, or the declared one if that is more."""
        wanted = self.spec.volume_size
        return size if wanted is None else max(size, -(-parse_size(wanted) // (1 << 30)))


def _driver(form: str) -> str:
    """What qemu-img calls it."""
    return {"vhd": "vpc"}.get(form, form)


def _known(run: Run) -> Path:
    """Where digests of finished snapshots are kept."""
    return run.cache / "amazon" / "blocks"


def _resumable(at: Cloud, written: log.UploadLog) -> str | None:
    """The snapshot that the log tells of, if it is still open."""
    if not written.snapshot:
        return None
    found = at.call(
        "ec2.DescribeSnapshots",
        OwnerIds=["self"],
        Filters=[{"Name": "snapshot-id", "Values": [written.snapshot]}, {"Name": "status", "Values": ["pending"]}],
    )["Snapshots"]
    return str(found[0]["SnapshotId"]) if found else None
