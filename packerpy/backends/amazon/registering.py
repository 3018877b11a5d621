"""AMIs that are registered from what is there already: snapshots, or a bundle in S3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packerpy.backends.amazon import finish, watch
from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.specs.registration import RegisterOptions
from packerpy.backends.amazon.steps.image import RegisterImage
from packerpy.backends.amazon.tags import new_token


def of_disks(
    spec: RegisterOptions,
    *,
    root: str,
    mappings: Sequence[dict[str, Any]],
    architecture: str | None = None,
    boot_mode: str | None = None,
) -> dict[str, Any]:
    """EC2's request to register an image that starts from its first disk.

    :param root: the name of the disk that it starts from.
    :param mappings: all disks.
    :param architecture: of what it is made from, where the declaration says nothing.
    :param boot_mode: likewise.
    """
    return {
        **options(spec, architecture, boot_mode),
        "RootDeviceName": root,
        "BlockDeviceMappings": list(mappings),
    }


def options(spec: RegisterOptions, architecture: str | None, boot_mode: str | None) -> dict[str, Any]:
    """The part of the request that says how the image boots, see :func:`of_disks`."""
    request: dict[str, Any] = {
        "Description": spec.description,
        "Architecture": spec.architecture or architecture or "x86_64",
        "VirtualizationType": "hvm",
        "BootMode": spec.boot_mode or boot_mode,
        "EnaSupport": spec.ena_support,
        "SriovNetSupport": "simple" if spec.sriov_support else None,
        "ImdsSupport": spec.imds_support,
        "TpmSupport": spec.tpm_support,
        "UefiData": None if spec.uefi_data is None else spec.uefi_data.read_text().strip(),
    }
    return {name: value for name, value in request.items() if value is not None}


def of_snapshot(volume: dict[str, Any]) -> dict[str, Any]:
    """A disk of an image, made of a snapshot: it is encrypted as that is, and Amazon must not be told so."""
    return {name: value for name, value in volume.items() if name not in ("Encrypted", "KmsKeyId")}


def register(at: Cloud, spec: RegisterOptions, request: dict[str, Any]) -> str:
    """Register it under its name, and wait until it can be used."""
    finish.make_room(at, spec)
    step = RegisterImage(
        access=at.access,
        region=at.region,
        token=new_token(),
        tags=dict(spec.tags),
        name=spec.ami_name,
        request=request,
    )
    image = finish.holder(at.run, spec)(step)
    watch.image_available(at, image)
    return image
