"""From a disk to an AMI by way of S3 and Amazon's import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from packerpy.backends.amazon import finish, preflight, watch
from packerpy.backends.amazon.api import Answer, Cloud
from packerpy.backends.amazon.errors import NameTaken
from packerpy.backends.amazon.gone import LooksAtAmazon
from packerpy.backends.amazon.launch import region_cloud
from packerpy.backends.amazon.specs.importing import Format, Import
from packerpy.backends.amazon.steps.image import CopyImage
from packerpy.backends.amazon.steps.import_task import ImportImage, task_of
from packerpy.backends.amazon.steps.s3_object import UploadObject
from packerpy.backends.amazon.tags import new_token
from packerpy.backends.amazon.waiting import Seen, until
from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PostProcessError
from packerpy.values import Artifact, Processed

_FORMATS: dict[str, Format] = {"raw": "raw", "img": "raw", "vmdk": "vmdk", "vhd": "vhd", "vhdx": "vhdx", "ova": "ova"}
_LONGEST = 15.0
"""Seconds between two looks at an import task at most; it takes many minutes."""


@attrs.frozen
class Worker(LooksAtAmazon, PostProcessor):
    """Carries out an :class:`Import`."""

    spec: Import

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Upload, import, copy to the wanted name; scaffolding goes when the chain ends."""
        at = region_cloud(run, self.spec)
        source, form = self._source(artifact)
        if not self.spec.force_deregister and (taken := preflight.existing(at, self.spec.ami_name)):
            raise NameTaken(self.spec.ami_name, at.region, taken)
        key = self._upload(at, source)
        task = run.do(self._task(at, key, form))
        imported = _finished(at, task)
        finish.make_room(at, self.spec)
        image = run.keep(self._copy(at, str(imported["ImageId"])))
        watch.image_available(at, image)
        finish.settle(at, self.spec, image)
        facts = {name: value for name, value in artifact.facts.items() if name not in ("format", "virtual_size")}
        made = finish.artifact({at.region: image}, facts | {"name": self.spec.ami_name}, "packerpy.amazon.import")
        return Processed(artifact=made)

    def _source(self, artifact: Artifact) -> tuple[Path, Format]:
        named = artifact.outputs.get(self.spec.output)
        path = Path(named) if named is not None else next(iter(artifact.files), None)
        if path is None:
            raise PostProcessError(f"{artifact.id} has no file to import", resolution="put Import behind a disk image")
        told = self.spec.format or _FORMATS.get(artifact.facts.get("format", "")) or _FORMATS.get(path.suffix[1:])
        if told is None:
            raise PostProcessError(
                f"Amazon cannot import {path.name}",
                resolution='put Convert("vmdk") or Convert("raw") before it, or declare format=',
            )
        return path, told

    def _upload(self, at: Cloud, source: Path) -> str:
        token = new_token()
        options = {"ServerSideEncryption": self.spec.s3_encryption, "SSEKMSKeyId": self.spec.s3_kms_key}
        step = UploadObject(
            access=at.access,
            region=at.region,
            token=token,
            source=source,
            bucket=self.spec.bucket,
            key=self.spec.object_key or f"packerpy-{token}{source.suffix}",
            options={name: value for name, value in options.items() if value is not None},
        )
        return at.run.keep(step) if self.spec.skip_clean else at.run.do(step)

    def _task(self, at: Cloud, key: str, form: Format) -> ImportImage:
        request: dict[str, Any] = {
            "DiskContainers": [{"Format": form, "UserBucket": {"S3Bucket": self.spec.bucket, "S3Key": key}}],
            "Description": self.spec.description or self.spec.ami_name,
            "RoleName": self.spec.role_name,
            "Architecture": self.spec.architecture,
            "Platform": self.spec.platform,
            "BootMode": self.spec.boot_mode,
            "LicenseType": self.spec.license_type,
        }
        request = {name: value for name, value in request.items() if value is not None}
        return ImportImage(access=at.access, region=at.region, token=new_token(), request=request)

    def _copy(self, at: Cloud, imported: str) -> CopyImage:
        request: dict[str, Any] = {
            "SourceImageId": imported,
            "SourceRegion": at.region,
            "Description": self.spec.description,
            "Encrypted": self.spec.encrypted or None,
            "KmsKeyId": self.spec.kms_key,
        }
        return CopyImage(
            access=at.access,
            region=at.region,
            token=new_token(),
            tags=dict(self.spec.tags),
            snapshot_tags=dict(self.spec.snapshot_tags),
            name=self.spec.ami_name,
            request={name: value for name, value in request.items() if value is not None},
        )


def _finished(at: Cloud, task: str) -> Answer:
    """Wait for an import task, and tell how far it is."""
    answer: Answer = {}

    def look() -> Seen:
        nonlocal answer
        answer = task_of(at, task)
        status, message = str(answer.get("Status", "")), str(answer.get("StatusMessage", ""))
        told = str(answer.get("Progress", ""))
        percent = float(told) if told.isdecimal() else None
        if status in ("active", ""):
            return Seen("retry", message or status, "", percent)
        return Seen("success" if status == "completed" else "failure", status, message)

    limit = at.access.wait_timeout
    until(at.run, f"import task {task}", look, wanted="completed", longest=_LONGEST, limit=limit)
    return answer
