"""Amazon's errors become ours; the table is complete."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import botocore.exceptions
import botocore.session
import pytest

from packerpy.backends.amazon import errors
from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.api import _ours, _snake, cloud
from packerpy.backends.amazon.errors import AmazonError, error_for, kind_of
from packerpy.testing import make_run

EC2 = [
    "AuthFailure",
    "Blocked",
    "DryRunOperation",
    "IncompleteSignature",
    "InvalidAction",
    "InvalidClientTokenId",
    "InvalidParameter",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingAction",
    "MissingAuthenticationToken",
    "MissingParameter",
    "OptInRequired",
    "PendingVerification",
    "RequestExpired",
    "UnauthorizedOperation",
    "UnknownParameter",
    "Unsupported",
    "ValidationError",
    "AddressLimitExceeded",
    "CannotDelete",
    "DependencyViolation",
    "DiskImageSizeTooLarge",
    "EncryptedVolumesNotSupported",
    "FilterLimitExceeded",
    "IdempotentParameterMismatch",
    "IncorrectInstanceState",
    "IncorrectModificationState",
    "IncorrectState",
    "InstanceLimitExceeded",
    "InsufficientFreeAddressesInSubnet",
    "InvalidAddress.NotFound",
    "InvalidAMIAttributeItemValue",
    "InvalidAMIID.Malformed",
    "InvalidAMIID.NotFound",
    "InvalidAMIID.Unavailable",
    "InvalidAMIName.Duplicate",
    "InvalidAMIName.Malformed",
    "InvalidAttachment.NotFound",
    "InvalidAvailabilityZone",
    "InvalidBlockDeviceMapping",
    "InvalidCapacityReservationId.NotFound",
    "InvalidDevice.InUse",
    "InvalidGroup.Duplicate",
    "InvalidGroup.InUse",
    "InvalidGroup.NotFound",
    "InvalidGroup.Reserved",
    "InvalidGroupId.Malformed",
    "InvalidIamInstanceProfileArn.Malformed",
    "InvalidInstanceAttributeValue",
    "InvalidInstanceID.Malformed",
    "InvalidInstanceID.NotFound",
    "InvalidInstanceType",
    "InvalidInterface.IpAddressLimitExceeded",
    "InvalidKey.Format",
    "InvalidKeyPair.Duplicate",
    "InvalidKeyPair.Format",
    "InvalidKeyPair.NotFound",
    "InvalidParameterDependency",
    "InvalidPermission.Duplicate",
    "InvalidPermission.Malformed",
    "InvalidRequest",
    "InvalidSecurityGroupID.NotFound",
    "InvalidSnapshot.InUse",
    "InvalidSnapshot.NotFound",
    "InvalidSnapshotID.Malformed",
    "InvalidSpotInstanceRequestID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidSubnet.Conflict",
    "InvalidUserData.Malformed",
    "InvalidVolume.NotFound",
    "InvalidVolume.ZoneMismatch",
    "InvalidVolumeID.Malformed",
    "InvalidVpcID.NotFound",
    "KeyPairNameTooLong",
    "MaxSpotInstanceCountExceeded",
    "NonEBSInstance",
    "OperationNotPermitted",
    "PrivateIpAddressLimitExceeded",
    "RequestLimitExceeded",
    "ResourceCountExceeded",
    "ResourceLimitExceeded",
    "SecurityGroupLimitExceeded",
    "SnapshotLimitExceeded",
    "ConcurrentSnapshotLimitExceeded",
    "SnapshotCreationPerVolumeRateExceeded",
    "SpotMaxPriceTooLow",
    "SubnetLimitExceeded",
    "TagLimitExceeded",
    "UnknownVolumeType",
    "UnsupportedOperation",
    "VcpuLimitExceeded",
    "VolumeInUse",
    "VolumeLimitExceeded",
    "VolumeTypeNotAvailableInZone",
    "VPCIdNotSpecified",
    "VPCResourceNotSpecified",
    "ZonesMismatched",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientVolumeCapacity",
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "ServiceUnavailable",
    "Unavailable",
    "InvalidAMIID.Unavailable",
    "UnsupportedHostConfiguration",
    "BootForVolumeTypeUnsupported",
]
"""Codes of EC2's reference that a build can meet; the library's description of EC2 names none."""

S3 = [
    "AccessDenied",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "EntityTooLarge",
    "EntityTooSmall",
    "ExpiredToken",
    "InternalError",
    "InvalidAccessKeyId",
    "InvalidBucketName",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidRange",
    "KeyTooLongError",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchUpload",
    "OperationAborted",
    "PreconditionFailed",
    "RequestTimeout",
    "SignatureDoesNotMatch",
    "ServiceUnavailable",
    "SlowDown",
    "TooManyBuckets",
]


def modelled() -> list[str]:
    """Codes that the library's descriptions of services name."""
    session = botocore.session.get_session()
    services = ("ebs", "s3", "iam", "sts", "secretsmanager", "ec2-instance-connect", "kms", "ssm")
    return sorted({shape.error_code for name in services for shape in session.get_service_model(name).error_shapes})


def test_every_code_is_known() -> None:
    """Each code of each service used here has a kind of its own, and an advice."""
    unknown = sorted(code for code in {*EC2, *S3, *used_codes()} if kind_of(code) is AmazonError)
    assert unknown == []
    assert all(error_for("x", code, "").resolution for code in EC2)
    share = [code for code in modelled() if kind_of(code) is AmazonError]
    assert len(share) < 60, share


def operations() -> set[tuple[str, str]]:
    """Every operation that the platform's sources name, by service."""
    texts = [path.read_text() for path in Path(errors.__file__).parent.rglob("*.py")]
    return {(found[1], found[2]) for text in texts for found in re.finditer(_OPERATION, text)}


_OPERATION = r'"(ec2|ebs|s3|iam|sts|ssm|secretsmanager)\.([A-Z]\w+)"'


def used_codes() -> set[str]:
    """Of the operations that we call: what the descriptions say they may answer; of S3, STS and EBS all."""
    session = botocore.session.get_session()
    models = {
        name: session.get_service_model(name) for name in ("ec2", "ebs", "s3", "iam", "sts", "ssm", "secretsmanager")
    }
    called = operations() | {(name, one) for name in ("ebs", "s3", "sts") for one in models[name].operation_names}
    return {shape.error_code for name, one in called for shape in models[name].operation_model(one).error_shapes}


def test_all_operations_are_looked_at() -> None:
    """The walk sees what is called, and nothing that Amazon does not know."""
    found = operations()
    assert {
        ("ec2", "RunInstances"),
        ("iam", "CreateRole"),
        ("ssm", "StartSession"),
        ("ebs", "PutSnapshotBlock"),
    } <= found
    assert len(found) > 50


def test_every_exception_of_the_library_is_ours() -> None:
    """Whatever the library raises comes out as an AmazonError; those of credentials and connections as their kind."""
    classes = [
        cls
        for cls in vars(botocore.exceptions).values()
        if inspect.isclass(cls) and issubclass(cls, botocore.exceptions.BotoCoreError)
    ]
    kinds = {cls.__name__: type(_ours("ec2.X", cls.__new__(cls))) for cls in classes}
    assert all(issubclass(kind, AmazonError) for kind in kinds.values())
    assert kinds["NoCredentialsError"] is kinds["SSOTokenLoadError"] is kinds["ProfileNotFound"] is errors.NoCredentials
    assert kinds["EndpointConnectionError"] is kinds["ConnectTimeoutError"] is errors.Unreachable
    assert kinds["ParamValidationError"] is errors.BadRequest


def test_an_unknown_code_is_kept_whole() -> None:
    """What the table does not know is told as it came."""
    error = error_for("ec2.RunInstances", "SomethingNew", "the moon is full")
    assert type(error) is AmazonError
    assert "the moon is full" in str(error)
    assert "SomethingNew" in str(error)


def test_no_answer(tmp_path: Path) -> None:
    """Nobody listens: one sentence, with what to check."""
    run = make_run(tmp_path)
    access = Access(endpoint_url="http://127.0.0.1:9", max_attempts=1)
    with pytest.raises(errors.Unreachable, match="check the region"):
        cloud(run, access, "us-east-1").call("ec2.DescribeRegions")
    run.close(failed=False)


def test_names() -> None:
    """Operations are called by the names of Amazon's reference."""
    assert _snake("DescribeVpcs") == "describe_vpcs"
