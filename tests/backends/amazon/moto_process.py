"""Moto's HTTP server in a process of its own, stricter in places where it is kinder than Amazon.

Started as ``python -m tests.backends.amazon.moto_process FOLDER``; prints its port; answers each line with an
inventory of all that is there, and ends with its standard input. What is
different from moto: names of images are unique, snapshots made block by block inherit their parent's blocks and check
checksums and counts, tags of snapshots and of registered images are kept, images have all the disks or the bundle
that they were registered with, volumes that moto makes for itself are not seen.
Calls that moto does not know are simulated: deprecation, protection and fast launch of images, import tasks, quotas of
EC2. Public keys are written to FOLDER/authorized_keys, in the place of cloud-init.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.backends.amazon import moto_sessions

ACCOUNT = "123456789012"

SETTINGS = {
    "MOTO_ENABLE_AMI_VALIDATION": "1",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "1",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "1",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


def main(folder: Path) -> None:
    """Serve until nobody wants it any more."""
    os.environ.update(SETTINGS)
    from moto.server import ThreadedMotoServer

    _images()
    _blocks()
    _imports()
    _fast_launch()
    _quotas()
    _fleets()
    _keys(folder)
    moto_sessions.install(folder)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)  # noqa: T201  the parent reads it
    for _ in sys.stdin:
        print(json.dumps(_inventory()), flush=True)  # noqa: T201  likewise
    os._exit(0)


def _inventory() -> dict[str, list[str]]:
    """Everything that can be left behind, by kind and region."""
    from moto.ec2.models import ec2_backends
    from moto.s3.models import s3_backends

    found: dict[str, list[str]] = {}
    for region, backend in ec2_backends[ACCOUNT].items():
        instances = (one for reservation in backend.reservations.values() for one in reservation.instances)
        lists = {
            "instances": [one.id for one in instances if one.state != "terminated"],
            "keys": list(backend.key_pairs),
            "groups": [group for groups in backend.groups.values() for group in groups],
            "volumes": list(backend.volumes),
            "snapshots": list(backend.snapshots),
            "images": list(backend.amis),
            "fast launches": [one.id for one in backend.amis.values() if getattr(one, "fast_launch", None)],
            "launch templates": list(backend.launch_templates),
        }
        found |= {f"{region} {kind}": sorted(things) for kind, things in lists.items() if things}
    for name, bucket in s3_backends[ACCOUNT]["aws"].buckets.items():
        found[f"objects of {name}"] = sorted(bucket.keys)
        found[f"uploads to {name}"] = sorted(bucket.multiparts)
    found |= {"sessions": moto_sessions.active(), **moto_sessions.identities()}
    return {kind: things for kind, things in found.items() if things}


def _images() -> None:  # noqa: C901  a list of small things
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import ec2_backends
    from moto.ec2.models.amis import Ami
    from moto.ec2.responses.amis import AmisResponse as Response
    from moto.s3.models import s3_backends

    copy_image = Response.copy_image

    def refuse_duplicate(self: Any) -> None:
        name = self._get_param("Name")
        for image in self.ec2_backend.amis.values():
            if image.name == name:
                raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")

    def tag(self: Any, image: Any, snapshot: Any) -> None:
        for specification in self._get_param("TagSpecifications", []):
            thing = image if specification["ResourceType"] == "image" else snapshot
            thing.add_tags({one["Key"]: one["Value"] for one in specification["Tags"]})

    def create(self: Any) -> Any:
        refuse_duplicate(self)
        image = self.ec2_backend.create_image(
            self._get_param("InstanceId"), self._get_param("Name"), self._get_param("Description", ""), []
        )
        tag(self, image, image.ebs_snapshot)
        return ActionResult({"ImageId": image.id})

    def copy(self: Any) -> Any:
        refuse_duplicate(self)
        source = ec2_backends[ACCOUNT][self._get_param("SourceRegion")].amis.get(self._get_param("SourceImageId"))
        answer = copy_image(self)
        image = self.ec2_backend.amis[list(self.ec2_backend.amis)[-1]]
        if source is not None and source.ebs_snapshot.id is None:
            copy_bundle(self.ec2_backend, source, image)
        tag(self, image, image.ebs_snapshot)
        return answer

    def copy_bundle(backend: Any, source: Any, image: Any) -> None:
        backend.snapshots.pop(image.ebs_snapshot.id)
        image.ebs_snapshot, image.root_device_type = no_snapshot(), source.root_device_type
        image.image_location, image.given = f"copied to {backend.region_name}: {source.image_location}", []

    def register(self: Any) -> Any:
        refuse_duplicate(self)
        backend = self.ec2_backend
        image = backend.register_image(self._get_param("Name"), self._get_param("Description", ""))
        backend.snapshots.pop(image.ebs_snapshot.id)
        image.root_device_name = self._get_param("RootDeviceName")
        image.given = self._get_param("BlockDeviceMappings", [])
        try:
            found = take_bundle(self._get_param("ImageLocation")) or take_snapshots(backend, image)
        except EC2ClientError:
            backend.amis.pop(image.id)
            raise
        image.ebs_snapshot, image.image_location = found, self._get_param("ImageLocation")
        image.root_device_type = "ebs" if image.given else "instance-store"
        image.architecture = self._get_param("Architecture")
        image.virtualization_type = self._get_param("VirtualizationType")
        image.boot_mode = self._get_param("BootMode")
        image.asked = {name: self._get_param(name) for name in ("EnaSupport", "ImdsSupport", "TpmSupport", "UefiData")}
        tag(self, image, image.ebs_snapshot)
        return ActionResult({"ImageId": image.id})

    def take_bundle(location: str | None) -> Any:
        if location is None:
            return None
        bucket, _, key = location.partition("/")
        if (
            bucket not in s3_backends[ACCOUNT]["aws"].buckets
            or key not in s3_backends[ACCOUNT]["aws"].buckets[bucket].keys
        ):
            raise EC2ClientError("InvalidManifest", f"HTTP 404 (Not Found) for URL {location}")
        return no_snapshot()

    def no_snapshot() -> Any:
        return SimpleNamespace(id=None, add_tags=lambda tags: None, from_ami=None, volume=None)

    def take_snapshots(backend: Any, image: Any) -> Any:
        volumes = {one["DeviceName"]: one["Ebs"] for one in image.given if "SnapshotId" in one.get("Ebs", {})}
        for volume in volumes.values():
            if volume["SnapshotId"] not in backend.snapshots:
                raise EC2ClientError("InvalidSnapshot.NotFound", f"no snapshot {volume['SnapshotId']}")
            if "Encrypted" in volume or "KmsKeyId" in volume:
                raise EC2ClientError("InvalidBlockDeviceMapping", "a snapshot is encrypted as it is")
            snapshot = backend.snapshots[volume["SnapshotId"]]
            snapshot.from_ami = image.id
            volume.setdefault("VolumeSize", snapshot.volume.size)
        if image.root_device_name not in volumes:
            raise EC2ClientError("InvalidBlockDeviceMapping", "there is no snapshot of the root device")
        return backend.snapshots[volumes[image.root_device_name]["SnapshotId"]]

    mappings = Ami.block_device_mappings.fget  # type: ignore[attr-defined]
    Ami.block_device_mappings = property(
        lambda self: getattr(self, "given", None) or (mappings(self) if self.ebs_snapshot.id else [])
    )  # type: ignore[method-assign]

    def remember(name: str) -> Any:
        def action(self: Any) -> Any:
            image = self.ec2_backend.amis.get(self._get_param("ImageId"))
            if image is None:
                raise EC2ClientError("InvalidAMIID.NotFound", "no such image")
            image.add_tags({f"simulated:{name}": str(self._get_param("DeprecateAt") or True)})
            return ActionResult({"Return": "true"})

        return action

    Response.create_image, Response.copy_image, Response.register_image = create, copy, register  # type: ignore[method-assign]
    for name in ("enable_image_deprecation", "enable_image_deregistration_protection"):
        setattr(Response, name, remember(name))


def _fast_launch() -> None:
    """Enabling at the first look and enabled at the second; an image described as hopeless fails."""
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses.amis import AmisResponse as Response

    def enable(self: Any) -> Any:
        image = self.ec2_backend.amis.get(self._get_param("ImageId"))
        if image is None:
            raise EC2ClientError("InvalidAMIID.NotFound", "no such image")
        asked = {name: self._get_param(name) for name in ("MaxParallelLaunches", "LaunchTemplate")}
        asked["SnapshotConfiguration"] = self._get_param("SnapshotConfiguration")
        image.fast_launch = {"ImageId": image.id, "State": "enabling", **asked}
        return ActionResult(image.fast_launch)

    def describe(self: Any) -> Any:
        images = (self.ec2_backend.amis.get(identity) for identity in self._get_param("ImageIds", []))
        found = [one for one in images if getattr(one, "fast_launch", None)]
        told = [dict(one.fast_launch) for one in found]
        for one in found:
            failed = {"State": "enabling-failed", "StateTransitionReason": "the template is of no use"}
            one.fast_launch |= failed if one.description == "hopeless" else {"State": "enabled"}
        return ActionResult({"FastLaunchImages": told})

    def disable(self: Any) -> Any:
        image = self.ec2_backend.amis[self._get_param("ImageId")]
        told, image.fast_launch = image.fast_launch, None
        return ActionResult({**told, "State": "disabling"})

    Response.enable_fast_launch, Response.disable_fast_launch = enable, disable  # type: ignore[attr-defined]
    Response.describe_fast_launch_images = describe  # type: ignore[attr-defined]


def _fleets() -> None:
    """There is no spare capacity of the types called nano."""
    from moto.core.responses import ActionResult
    from moto.ec2.responses.fleets import Fleets

    create = Fleets.create_fleet

    def create_fleet(self: Any) -> Any:
        overrides = [one for config in self._get_param("LaunchTemplateConfigs") for one in config["Overrides"]]
        if not all(one["InstanceType"].endswith(".nano") for one in overrides):
            return create(self)
        error = {"ErrorCode": "InsufficientInstanceCapacity", "ErrorMessage": "there is none just now"}
        errors = [{**error, "LaunchTemplateAndOverrides": {"Overrides": one}} for one in overrides]
        return ActionResult({"FleetId": "fleet-0", "Errors": errors, "Instances": []})

    Fleets.create_fleet = create_fleet  # type: ignore[method-assign]


def _quotas() -> None:
    """64 virtual processors of the standard kind, and half of them on spare capacity; none of the kind P."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES
    from moto.ec2.models.instances import Instance
    from moto.servicequotas.exceptions import NoSuchResource
    from moto.servicequotas.models import ServiceQuotasBackend

    limits = {"L-1216C47A": 64.0, "L-34B43A08": 32.0, "L-417A185B": 0.0}

    def get(self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        if service_code != "ec2" or quota_code not in limits:
            raise NoSuchResource
        return {"ServiceCode": service_code, "QuotaCode": quota_code, "Value": limits[quota_code]}

    def processors(self: Any) -> dict[str, int]:
        return {"CoreCount": int(INSTANCE_TYPES[self.instance_type]["VCpuInfo"]["DefaultVCpus"]), "ThreadsPerCore": 1}

    ServiceQuotasBackend.get_service_quota = get  # type: ignore[method-assign]
    Instance.cpu_options = property(processors)  # type: ignore[attr-defined]


def _imports() -> None:
    """Import tasks, which moto has not: simulated; one is active at the first look and completed at the second."""
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses import EC2Response
    from moto.s3.models import s3_backends

    tasks: dict[str, dict[str, Any]] = {}

    def begin(self: Any) -> Any:
        where = self._get_param("DiskContainers")[0]["UserBucket"]
        if where["S3Key"] not in s3_backends[ACCOUNT]["aws"].buckets[where["S3Bucket"]].keys:
            raise EC2ClientError("InvalidParameter", "the object is not there")
        task = {
            "ImportTaskId": f"import-ami-{len(tasks):017x}",
            "Status": "active",
            "Progress": "20",
            "StatusMessage": "converting",
        }
        task["Tags"] = [tag for one in self._get_param("TagSpecifications", []) for tag in one["Tags"]]
        tasks[task["ImportTaskId"]] = task
        return ActionResult(task)

    def describe(self: Any) -> Any:
        wanted = self._get_param("ImportTaskIds", [])
        values = [value for one in self._get_param("Filters", []) for value in one["Values"]]
        found = []
        for task in tasks.values():
            if task["ImportTaskId"] in wanted or set(values) & {tag["Value"] for tag in task["Tags"]}:
                found.append(dict(task))
                if task["Status"] == "active" and wanted:
                    image = self.ec2_backend.register_image(task["ImportTaskId"], "")
                    image.ebs_snapshot.from_ami = image.id
                    task |= {"Status": "completed", "ImageId": image.id}
        return ActionResult({"ImportImageTasks": found})

    def cancel(self: Any) -> Any:
        task = tasks[self._get_param("ImportTaskId")]
        task["Status"] = "deleted"
        for image in [one for one in self.ec2_backend.amis.values() if one.name == task["ImportTaskId"]]:
            self.ec2_backend.amis.pop(image.id)
            self.ec2_backend.snapshots.pop(image.ebs_snapshot.id, None)
        return ActionResult({})

    actions = {"import_image": begin, "describe_import_image_tasks": describe, "cancel_import_task": cancel}
    for name, action in actions.items():
        setattr(EC2Response, name, action)


def _blocks() -> None:  # noqa: C901  likewise
    from moto.core.exceptions import JsonRESTError
    from moto.ebs.models import EBSBackend
    from moto.ebs.responses import EBSResponse

    start, complete, put = EBSResponse.start_snapshot, EBSResponse.complete_snapshot, EBSBackend.put_snapshot_block

    def refuse(message: str, code: str = "ValidationException") -> Exception:
        error = JsonRESTError(code, message)
        error.code = 404 if "NotFound" in code else 400
        return error

    def start_snapshot(self: Any) -> Any:
        backend, token = self.ebs_backend, self._get_param("ClientToken")
        parent = self._get_param("ParentSnapshotId")
        if parent is not None and parent not in backend.snapshots:
            raise refuse(f"The snapshot '{parent}' does not exist.", "ResourceNotFoundException")
        tokens = backend.__dict__.setdefault("tokens", {})
        if token in tokens and tokens[token]["SnapshotId"] in backend.snapshots:
            return _result(tokens[token])
        answer = start(self)
        made = backend.snapshots[answer.result["SnapshotId"]]
        seen = backend.ec2_backend.snapshots[made.snapshot_id]
        backend.ec2_backend.volumes.pop(seen.volume.id, None)
        seen.status, made.put = "pending", {}
        made.blocks = dict(backend.snapshots[parent].blocks) if parent else {}
        answer.result["BlockSize"] = made.block_size = 524288
        tokens[token] = answer.result
        return answer

    def put_block(
        self: Any, snapshot_id: str, block_index: int, block_data: bytes, checksum: str, *rest: Any, **more: Any
    ) -> Any:
        if snapshot_id not in self.snapshots or snapshot_id not in self.ec2_backend.snapshots:
            raise refuse(f"The snapshot '{snapshot_id}' does not exist.", "ResourceNotFoundException")
        if len(block_data) != 524288:
            raise refuse(f"a block has 524288 bytes, not {len(block_data)}")
        digest = hashlib.sha256(block_data).digest()
        if base64.b64encode(digest).decode() != checksum:
            raise refuse("the checksum is not the block's")
        self.snapshots[snapshot_id].put[block_index] = digest
        return put(self, snapshot_id, block_index, block_data, checksum, *rest, **more)

    def complete_snapshot(self: Any) -> Any:
        snapshot = self.ebs_backend.snapshots[self._get_param("SnapshotId")]
        count = int(self._get_param("ChangedBlocksCount") or self.headers.get("x-amz-ChangedBlocksCount"))
        if count != len(snapshot.put):
            raise refuse(f"{len(snapshot.put)} blocks were put, not {count}")
        told = self._get_param("Checksum") or self.headers.get("x-amz-Checksum")
        total = hashlib.sha256(b"".join(snapshot.put[index] for index in sorted(snapshot.put))).digest()
        if told is not None and base64.b64encode(total).decode() != told:
            raise refuse("the checksum is not that of all blocks")
        self.ebs_backend.ec2_backend.snapshots[snapshot.snapshot_id].status = "completed"
        return complete(self)

    def _result(result: Any) -> Any:
        from moto.core.responses import ActionResult

        return ActionResult(result)

    EBSResponse.start_snapshot, EBSResponse.complete_snapshot = start_snapshot, complete_snapshot  # type: ignore[method-assign]
    EBSBackend.put_snapshot_block = put_block  # type: ignore[method-assign]


def _keys(folder: Path) -> None:
    from moto.ec2.models.key_pairs import KeyPairBackend

    take = KeyPairBackend.import_key_pair

    def import_key_pair(self: Any, key_name: str, public_key_material: bytes, *rest: Any, **more: Any) -> Any:
        made = take(self, key_name, public_key_material, *rest, **more)
        with (folder / "authorized_keys").open("ab") as file:
            file.write(public_key_material.strip() + b"\n")
        return made

    KeyPairBackend.import_key_pair = import_key_pair  # type: ignore[method-assign]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
