"""Options of everything that makes an AMI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from packerpy.backends.amazon.specs.fields import hash_map, texts
from packerpy.backends.amazon.specs.kms import keys_problems
from packerpy.backends.amazon.specs.machine_checks import tag_problems
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, frozen_map

BootMode = Literal["legacy-bios", "uefi", "uefi-preferred"]

_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")


@declaration(kw_only=True, slots=False)
class ImageOptions:
    """An AMI that a build leaves.

    :param ami_name: 3 to 128 letters, digits and ``()[] ./-'@_``; unique in account and region.
    :param description: likewise.
    :param tags: on image and snapshots, next to our own.
    :param snapshot_tags: on snapshots only.
    :param users: accounts that may launch it.
    :param groups: ``all`` makes it public.
    :param organizations: ARNs of organisations that may launch it.
    :param organizational_units: likewise.
    :param snapshot_users: accounts that may use its snapshots.
    :param snapshot_groups: ``all`` makes them public.
    :param product_codes: of the AWS Marketplace, on the image.
    :param deprecate_at: when it is hidden from searches: ``2030-01-31T00:00:00Z``.
    :param deregistration_protection: nobody can deregister it by mistake; ``cooldown`` also for a day after protection
        is taken away.
    :param imds_support: ``v2.0`` makes instances of it use version 2 of the metadata service only.
    :param force_deregister: an image of this name is deregistered first; by default it is an error.
    :param force_delete_snapshot: and its snapshots are deleted.
    """

    ami_name: str
    description: str = ""
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    snapshot_tags: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    users: tuple[str, ...] = attrs.field(default=(), converter=texts)
    groups: tuple[str, ...] = attrs.field(default=(), converter=texts)
    organizations: tuple[str, ...] = attrs.field(default=(), converter=texts)
    organizational_units: tuple[str, ...] = attrs.field(default=(), converter=texts)
    snapshot_users: tuple[str, ...] = attrs.field(default=(), converter=texts)
    snapshot_groups: tuple[str, ...] = attrs.field(default=(), converter=texts)
    product_codes: tuple[str, ...] = attrs.field(default=(), converter=texts)
    deprecate_at: str | None = None
    deregistration_protection: bool | Literal["cooldown"] = False
    imds_support: Literal["v2.0"] | None = None
    force_deregister: bool = False
    force_delete_snapshot: bool = False


@declaration(kw_only=True, slots=False)
class CopyOptions(ImageOptions):
    """An AMI with copies in other regions.

    :param regions: other regions to copy it to.
    :param copy_kms_keys: region → key that its copy is encrypted with.
    :param only_copies: the image in the build's own region goes again, with its snapshots, when its copies are there.
    :param copy_minutes: in which Amazon must have copied the snapshots, 15 to 2880 in steps of 15; that costs more.
    :param encrypt_copies: encrypt copies by the region's default key, where none is named.
    """

    regions: tuple[str, ...] = attrs.field(default=(), converter=texts)
    copy_kms_keys: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=hash_map)
    only_copies: bool = False
    copy_minutes: int | None = None
    encrypt_copies: bool = False


def keyed_at_capture(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """For a source's declaration: what says how the image is to be has nothing to do with its machine until then."""
    names = {field.name for options in (ImageOptions, CopyOptions) for field in attrs.fields(options)}
    return [
        field.evolve(metadata={**field.metadata, "key": "capture"}) if field.name in names else field
        for field in fields
    ]


def image_problems(spec: ImageOptions) -> Iterable[Problem]:
    """All that is wrong with it."""
    yield from name_problems("ami_name", spec.ami_name)
    yield from _shares(spec)
    yield from _dates(spec)
    if spec.imds_support not in (None, "v2.0"):
        yield Problem(where="imds_support", what="has one value only", seen=repr(spec.imds_support), fix='use "v2.0"')
    if spec.force_delete_snapshot and not spec.force_deregister:
        yield Problem(where="force_delete_snapshot", what="needs force_deregister", fix="add force_deregister=True")
    yield from tag_problems("tags", spec.tags)
    yield from tag_problems("snapshot_tags", spec.snapshot_tags)


def _shares(spec: ImageOptions) -> Iterable[Problem]:
    for where in ("users", "snapshot_users"):
        yield from account_problems(where, getattr(spec, where))
    for where in ("groups", "snapshot_groups"):
        yield from group_problems(where, getattr(spec, where))
    for where in ("organizations", "organizational_units"):
        for number, arn in enumerate(getattr(spec, where)):
            if not arn.startswith("arn:"):
                yield Problem(where=f"{where}[{number}]", what="is not an ARN", seen=repr(arn), fix="write arn:aws:…")


def account_problems(where: str, accounts: Iterable[str]) -> Iterable[Problem]:
    """Texts that are no accounts."""
    for number, account in enumerate(accounts):
        if not re.fullmatch(r"\d{12}", account):
            fix = "an account's id has 12 digits"
            yield Problem(where=f"{where}[{number}]", what="is not an account", seen=repr(account), fix=fix)


def group_problems(where: str, groups: tuple[str, ...]) -> Iterable[Problem]:
    """Groups that there are not."""
    if any(group != "all" for group in groups):
        yield Problem(where=where, what="knows one group only", seen=repr(groups), fix='use "all"')


def name_problems(where: str, name: object) -> Iterable[Problem]:
    """EC2's rules for an image's name."""
    if isinstance(name, str) and not _NAME.fullmatch(name):
        fix = "use 3 to 128 letters, digits, blanks and ()[]./-'@_"
        yield Problem(where=where, what="is not a name for an image", seen=repr(name), fix=fix)


def copy_problems(spec: CopyOptions, region: str | None) -> Iterable[Problem]:
    """All that is wrong with copies.

    :param region: where the image itself is made.
    """
    if region is not None and region in spec.regions:
        fix = "leave the build's own region out: the image is there anyway"
        yield Problem(where="regions", what="holds the build's own region", seen=region, fix=fix)
    yield from keys_problems("copy_kms_keys", spec.copy_kms_keys)
    for place in spec.copy_kms_keys:
        if place not in spec.regions:
            fix = "add it to regions, or leave the key out"
            yield Problem(where=f"copy_kms_keys[{place!r}]", what="is not a region of a copy", fix=fix)
    if spec.only_copies and not spec.regions:
        yield Problem(where="only_copies", what="leaves no image", fix="name regions")
    if spec.copy_minutes is not None and (spec.copy_minutes not in range(15, 2881, 15) or not spec.regions):
        fix = "use 15 to 2880 in steps of 15, with regions"
        yield Problem(where="copy_minutes", what="is no time for copies", seen=str(spec.copy_minutes), fix=fix)
    if len(set(spec.regions)) != len(spec.regions):
        yield Problem(where="regions", what="names one twice", seen=", ".join(spec.regions))


def secrecy_problems(spec: ImageOptions, *, encrypted: bool, own_key: bool) -> Iterable[Problem]:
    """What cannot be shared.

    :param encrypted: the image, or a copy of it, is.
    :param own_key: always by another key than the account's default one, which cannot be shared.
    """
    if encrypted and spec.groups:
        yield Problem(where="groups", what="an encrypted image cannot be public", fix="leave one of them out")
    if encrypted and spec.snapshot_groups:
        fix = "leave one of them out"
        yield Problem(where="snapshot_groups", what="an encrypted snapshot cannot be public", fix=fix)
    if encrypted and not own_key:
        fix = "encrypt with a key of your own (kms_key, copy_kms_keys) and share that key too"
        for where in ("users", "organizations", "organizational_units", "snapshot_users"):
            if getattr(spec, where):
                yield Problem(where=where, what="cannot use what the account's default key encrypted", fix=fix)


def copied_by_default_key(spec: CopyOptions, *, encrypted: bool) -> bool:
    """Whether a copy is encrypted by the default key of its region.

    :param encrypted: the image itself is.
    """
    return (encrypted or spec.encrypt_copies) and any(region not in spec.copy_kms_keys for region in spec.regions)


def _dates(spec: ImageOptions) -> Iterable[Problem]:
    if spec.deprecate_at is not None:
        try:
            when = datetime.fromisoformat(spec.deprecate_at)
        except ValueError:
            when = None
        if when is None or when.tzinfo is None:
            fix = "write it like 2030-01-31T00:00:00Z"
            yield Problem(where="deprecate_at", what="is not a moment", seen=repr(spec.deprecate_at), fix=fix)
    if spec.deregistration_protection not in (True, False, "cooldown"):
        fix = 'use True, False or "cooldown"'
        seen = repr(spec.deregistration_protection)
        yield Problem(where="deregistration_protection", what="is none of them", seen=seen, fix=fix)
