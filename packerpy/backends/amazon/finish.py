"""What is done to an image once it is there: copies, sharing, dates, protection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from packerpy.backends.amazon import watch
from packerpy.backends.amazon.api import Cloud, cloud
from packerpy.backends.amazon.preflight import existing
from packerpy.backends.amazon.specs.image import CopyOptions, ImageOptions
from packerpy.backends.amazon.steps.image import CopyImage, delete_snapshots, deregister, snapshots_of
from packerpy.backends.amazon.tags import new_token
from packerpy.contracts import Run, Step
from packerpy.values import Artifact


def make_room(at: Cloud, spec: ImageOptions) -> None:
    """Deregister images that have our name, where that is wished."""
    if not spec.force_deregister:
        return
    for image in existing(at, spec.ami_name):
        at.run.say(f"deregistering {image}, which has the name {spec.ami_name} in {at.region}")
        snapshots = snapshots_of(at, image) if spec.force_delete_snapshot else []
        deregister(at, image)
        delete_snapshots(at, snapshots)


def holder(run: Run, spec: ImageOptions) -> Callable[[Step[str]], str]:
    """How what is made in the build's own region is acquired: as its product, or only for the sake of the copies."""
    return run.do if isinstance(spec, CopyOptions) and spec.only_copies else run.keep


def copies(at: Cloud, spec: CopyOptions, image: str) -> Mapping[str, str]:
    """Copy it to all regions at once; answers region → image, when all are there."""
    made: dict[str, str] = {}
    for region in spec.regions:
        there = cloud(at.run, at.access, region)
        make_room(there, spec)
        key = spec.copy_kms_keys.get(region)
        request: dict[str, Any] = {
            "SourceImageId": image,
            "SourceRegion": at.region,
            "Description": spec.description,
            "Encrypted": True if key or spec.encrypt_copies else None,
            "KmsKeyId": key,
            "SnapshotCopyCompletionDurationMinutes": spec.copy_minutes,
        }
        step = CopyImage(
            access=at.access,
            region=region,
            token=new_token(),
            tags=dict(spec.tags),
            snapshot_tags=dict(spec.snapshot_tags),
            name=spec.ami_name,
            request={name: value for name, value in request.items() if value is not None},
        )
        made[region] = at.run.keep(step)
    for region, copy in made.items():
        watch.image_available(cloud(at.run, at.access, region), copy)
    return made


def spread(
    at: Cloud, spec: CopyOptions, image: str, first: Callable[[Mapping[str, str]], None] = lambda _: None
) -> dict[str, str]:
    """Copy it to all regions, and set everything there; answers region → image.

    :param first: done to all images before any is shared.
    """
    images = {**({} if spec.only_copies else {at.region: image}), **copies(at, spec, image)}
    first(images)
    for region, made in images.items():
        settle(cloud(at.run, at.access, region), spec, made)
    return images


def settle(at: Cloud, spec: ImageOptions, image: str) -> None:
    """Everything that is set after an image was made; sharing comes last, when all else is right."""
    if spec.imds_support is not None:
        at.call("ec2.ModifyImageAttribute", ImageId=image, ImdsSupport={"Value": spec.imds_support})
    if spec.product_codes:
        at.call("ec2.ModifyImageAttribute", ImageId=image, ProductCodes=list(spec.product_codes))
    if spec.deprecate_at is not None:
        at.call("ec2.EnableImageDeprecation", ImageId=image, DeprecateAt=spec.deprecate_at)
    if spec.deregistration_protection:
        cooldown = spec.deregistration_protection == "cooldown"
        at.call("ec2.EnableImageDeregistrationProtection", ImageId=image, WithCooldown=cooldown)
    if spec.snapshot_users or spec.snapshot_groups:
        share_snapshots(at, snapshots_of(at, image), spec.snapshot_users, spec.snapshot_groups)
    permissions = [
        *({"UserId": user} for user in spec.users),
        *({"Group": group} for group in spec.groups),
        *({"OrganizationArn": arn} for arn in spec.organizations),
        *({"OrganizationalUnitArn": arn} for arn in spec.organizational_units),
    ]
    if permissions:
        at.call("ec2.ModifyImageAttribute", ImageId=image, LaunchPermission={"Add": permissions})


def share_snapshots(at: Cloud, snapshots: Iterable[str], users: Iterable[str], groups: Iterable[str]) -> None:
    """Let accounts make volumes of snapshots."""
    who = {"UserIds": list(users), "GroupNames": list(groups)}
    who = {name: values for name, values in who.items() if values}
    if not who:
        return
    for snapshot in snapshots:
        at.call(
            "ec2.ModifySnapshotAttribute",
            SnapshotId=snapshot,
            Attribute="createVolumePermission",
            OperationType="add",
            **who,
        )


def artifact(images: Mapping[str, str], facts: Mapping[str, str], builder: str) -> Artifact:
    """What a build of AMIs leaves."""
    return Artifact(
        kind="ami",
        id=",".join(f"{region}:{image}" for region, image in images.items()),
        outputs={f"ami:{region}": image for region, image in images.items()},
        facts=facts,
        builder_id=builder,
    )
