"""Amazon's ways of saying no, turned into ours by one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from packerpy.errors import BuildError, SourceError


class AmazonError(SourceError):
    """Amazon refused a request; a code that the table below does not know is reported as it came.

    :ivar code: Amazon's, such as ``InvalidAMIID.NotFound``, or the name of the library's exception.
    :ivar operation: ``ec2.RunInstances``.
    """

    advice: ClassVar[str | None] = None

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(
            f"{operation}: {message.strip() or code}",
            details=f"Amazon's code for this: {code}",
            resolution=ADVICE.get(code, self.advice),
        )
        self.code, self.operation, self.message = code, operation, message


class NoCredentials(AmazonError):
    """There are no credentials, or they cannot be read or renewed."""

    advice = (
        "give access=Access(profile=…) or access_key and secret_key, set AWS_PROFILE, or log in with `aws sso login`"
        " or `aws configure`"
    )


class AccessDenied(AmazonError):
    """The credentials are good, and are not allowed to do this."""

    advice = "add the operation to a policy of the user or role, or use other credentials (access=Access(profile=…))"


class Unreachable(AmazonError):
    """No answer from the endpoint."""

    advice = "check the region's name, the network and its proxy, and endpoint_url if one is set"


class NotFound(AmazonError):
    """A thing that the declaration names is not there."""

    advice = "check the name and whether it is in this region and account"


class Taken(AmazonError):
    """The name is in use."""

    advice = "choose another name, or remove the thing that has it"


class QuotaExceeded(AmazonError):
    """The account may not have more of it."""

    advice = "remove what is not needed, choose something smaller, or have the limit raised in Service Quotas"


class NoCapacity(AmazonError):
    """Amazon has none left just now."""

    advice = "try again later, or use another instance_type, subnet or availability zone"


class Throttled(AmazonError):
    """Too many requests for too long: the library's own repetitions did not help."""

    advice = "build fewer images at a time, raise Access(max_attempts=…), or use Access(retry_mode='adaptive')"


class WrongState(AmazonError):
    """The thing is not in a state in which this can be done, or something still uses it."""

    advice = "look at the thing in the console; it may be in use, or being changed by somebody else"


class BadRequest(AmazonError):
    """Amazon does not accept a value."""

    advice = "correct the value in the declaration that it complains about"


class NotOffered(AmazonError):
    """Amazon, or this endpoint, cannot do it."""

    advice = "leave the option out, or use another region, instance type or endpoint"


class ServiceFailed(AmazonError):
    """Amazon's own failure, after repetitions."""

    advice = "try again; see the health dashboard if it stays"


ADVICE: dict[str, str] = {
    "OptInRequired": "accept the terms of this image in the AWS Marketplace, or enable the region for the account",
    "InvalidAMIID.NotFound": "image ids differ between regions: use one of this region, or newest_ami(…)",
    "InvalidAMIName.Duplicate": "choose another name, or declare force_deregister=True",
    "VcpuLimitExceeded": "stop machines, take a smaller instance_type, or have the vCPU limit raised in Service Quotas",
    "UnauthorizedOperation": "add it to a policy; `aws sts decode-authorization-message` tells what is missing",
    "InvalidKey.Format": "give a public key in OpenSSH's format",
    "Client.InvalidParameterCombination": "leave one of the two options out",
    "VPCIdNotSpecified": "this account has no default VPC: declare subnet_id, or subnet_filter",
    "ExpiredToken": "log in again (`aws sso login`), or renew the session token",
    "NoRegionError": "declare region=, or set AWS_REGION",
}
"""What to do, where one code needs better advice than its kind."""

RULES: tuple[tuple[type[AmazonError], str], ...] = (
    (Throttled, "Throttl RequestLimitExceeded SlowDown TooManyRequests ConcurrentLimitExceeded"),
    (
        NoCredentials,
        """Credential AuthFailure ExpiredT InvalidClientTokenId SignatureDoesNotMatch InvalidAccessKeyId
        MissingAuth IncompleteSignature InvalidAuthenticationCode IDPRejected IDPComm InvalidIdentityToken
        TokenRefresh SessionDuration SessionLifetime MultiFactor OpenIdIdp RequestExpired ^SSO ^UnauthorizedSSO ^Login
        ^ProfileNotFound ^NoAuthToken ^TokenRetrieval ^UnknownToken ^RefreshWithMFA ^ConfigNotFound
        ^ConfigParse ^InfiniteLoopConfig ^InvalidConfigError""",
    ),
    (
        AccessDenied,
        """AccessDenied Unauthorized Forbidden NotAuthorized AllAccessDisabled Blocked$ PublicPolicy
        PendingVerification AuthException AccountNotManagement CallerIsNotManagement AccountProblem
        UnrecognizedClient""",
    ),
    (NoCapacity, "Insufficient.*Capacity CapacityNotAvail"),
    (
        QuotaExceeded,
        """LimitExceeded QuotaExceeded SnapshotLimit Limit$ TooMany MaxSpot MaxIOPS MaxConfigLimit TooLarge$
        CountExceeded RateExceeded
        JWTPayloadSize AddressesExhausted InsufficientFreeAddresses""",
    ),
    (NotFound, r"NotFound NoSuch AMIID\.Unavailable DoesNotExist NotPresent NotSpecified ReportExpired Unknown\."),
    (
        Taken,
        r"""Duplicate AlreadyExists AlreadyOwned ResourceExists EntityAlready \.Exists NameConflict NameInUse
        AlreadyAssoc""",
    ),
    (
        WrongState,
        """InUse IncorrectState IncorrectInstanceState DependencyViolation Conflict InvalidState NotReady
        InProgress TemporarilyUnmodifiable UnmodifiableEntity ConcurrentModification InvalidObjectState
        AlreadyInActiveTier NotInActiveTier OperationNotPermitted Precondition RoleModified
        IdempotentParameterMismatch IdempotencyParameterMismatch FeatureEnabled IllegalLocationConstraint
        HasAttached CannotDelete
        IncorrectModificationState OperationAborted NotConnected DisabledException VolumeIn""",
    ),
    (
        NotOffered,
        """Unsupported NotSupported NotAvailable OptInRequired RegionDisabled FeatureDisabled NotEnabled
        NotInAllFeatures OutboundWebIdentity RoleTemplateDisabled PolicyNotAttachable MethodNotAllowed
        NotImplemented InvalidAction UnknownOperation UnknownService NotInRegion DryRunOperation
        MissingDependency NonEBS""",
    ),
    (
        ServiceFailed,
        r"""Internal Unavailable ServiceFailure ServiceError ServerError ^5\d\d$ RequestTimeout DecryptionF
        EncryptionF PolicyEvaluation IncompleteRead ResponseParser Streaming ^Shutdown""",
    ),
    (
        Unreachable,
        """EndpointConnection ConnectionError ConnectionClosed Timeout SSLError HTTPClient ProxyConnection
        MetadataRetrieval UnknownEndpoint EndpointResol EndpointProvider EndpointVariant UnknownRegion""",
    ),
    (
        BadRequest,
        """Invalid Malformed Missing Validation Parameter Unrecognized KeyPairMismatch Mismatch PasswordPolicy
        EntityTooSmall BadDigest Range NoRegion ChecksumError UnknownKey DeleteConflict TooLong PriceTooLow
        UnknownVolumeType""",
    ),
)
"""Words of Amazon's codes (regular expressions) for each kind; first match wins, anywhere in the code."""

_COMPILED = tuple((cls, re.compile("|".join(words.split()))) for cls, words in RULES)


def kind_of(code: str) -> type[AmazonError]:
    """The exception for one of Amazon's codes, or the name of one of the library's exceptions."""
    for cls, pattern in _COMPILED:
        if pattern.search(code):
            return cls
    return AmazonError


def error_for(operation: str, code: str, message: str) -> AmazonError:
    """Ours for theirs."""
    return kind_of(code)(operation, code, message)


class NotBecome(SourceError):
    """A thing did not come into the state that was waited for."""

    def __init__(self, what: str, wanted: str, seen: str, reason: str = "") -> None:
        super().__init__(
            f"{what} is {seen}, and will not be {wanted}",
            details=reason or None,
            resolution="the reason is Amazon's; for a failed image or snapshot, build again",
        )


class NotBecomeInTime(SourceError):
    """The same, after too long."""

    def __init__(self, what: str, wanted: str, seen: str, seconds: float) -> None:
        super().__init__(
            f"{what} is still {seen or 'not there'} after {seconds:g} s, and should be {wanted}",
            resolution="raise Access(wait_timeout=…) if it only needs longer",
        )


class LibraryMissing(SourceError):
    """What an extra installs is not there."""

    exit_code = 3

    def __init__(self, library: str = "boto3", extra: str = "amazon") -> None:
        super().__init__(
            f"the library {library} is not installed", resolution=f'install it with `pip install "packerpy[{extra}]"`'
        )


class NoKeysFromVault(SourceError):
    """HashiCorp Vault makes no keys for Amazon."""

    def __init__(self, path: str, address: str, why: str, advice: str) -> None:
        super().__init__(f"Vault at {address} gives no keys for Amazon by {path}", details=why, resolution=advice)


class NoNetwork(SourceError):
    """No VPC, subnet or security group, or too many."""

    def __init__(self, what: str, filters: Mapping[str, str], region: str, found: Sequence[str]) -> None:
        wanted = ", ".join(f"{name}={value}" for name, value in filters.items())
        super().__init__(
            f"{'no' if not found else 'more than one'} {what} in {region} matches {wanted}",
            details=", ".join(found) or None,
            resolution="name it by its id, or make the filter match"
            if found or "is-default" not in filters
            else "this account has no default VPC here: declare subnet_id= or vpc_id=",
        )


class CallerUnknown(SourceError):
    """The address that the temporary security group would let in is not known."""

    def __init__(self, asked: str, why: str) -> None:
        super().__init__(
            f"{asked} does not tell from which address this host is seen",
            details=why,
            resolution='declare ingress=["198.51.100.7/32"] with the networks that may connect',
        )


class NoRegion(SourceError):
    """Neither the declaration nor its surroundings name a region."""

    def __init__(self) -> None:
        super().__init__("no region is known", resolution="declare region=, or set AWS_REGION")


class NoAddress(SourceError):
    """An instance cannot be reached as declared."""

    def __init__(self, instance: str, interface: str) -> None:
        super().__init__(
            f"instance {instance} has no {interface}",
            resolution="declare another ssh_interface, associate_public_ip=True, or a subnet whose instances have one",
        )


class NoVolume(SourceError):
    """An instance has no volume under a name."""

    def __init__(self, instance: str, device: str, attached: Iterable[str]) -> None:
        super().__init__(
            f"instance {instance} has no volume {device}",
            details=f"it has: {', '.join(sorted(attached)) or 'none'}",
            resolution="it may have been detached by a step; declare the device's name as the instance has it",
        )


class NotAnInstance(SourceError):
    """This host is no instance of EC2."""

    def __init__(self, endpoint: str, why: str) -> None:
        super().__init__(
            f"this host seems to be no instance of EC2: {endpoint} does not tell which one",
            details=why,
            resolution="run packerpy on an instance whose metadata service is on, or use EBSSurrogate",
        )


class NoFreeDevice(SourceError):
    """All names for volumes are taken."""

    def __init__(self, first: str, last: str) -> None:
        super().__init__(
            f"this instance has no name free between {first} and {last}",
            resolution="detach a volume, or declare attach_as=",
        )


class NoDevice(SourceError):
    """A volume did not show."""

    def __init__(self, volume: str, name: str, seconds: float) -> None:
        super().__init__(
            f"{volume} is attached as {name}, and no device has come for it within {seconds:g} s",
            resolution="declare node= with the device that it comes as (`lsblk` tells)",
        )


class NoPartition(SourceError):
    """A volume has not the partition that is to be mounted."""

    def __init__(self, device: Path, number: int, there: Iterable[int]) -> None:
        super().__init__(
            f"{device} has no partition {number}",
            details=f"it has: {', '.join(map(str, sorted(there))) or 'none'}",
            resolution="declare mount_partition=; 0 stands for the whole volume",
        )


class NoCapacityOfAny(SourceError):
    """Every declared instance type was tried."""

    def __init__(self, tried: Mapping[str, str]) -> None:
        super().__init__(
            f"Amazon has no spot capacity of {', '.join(tried)}",
            details="\n".join(f"{kind}: {why}" for kind, why in tried.items()),
            resolution="declare more instance types, another zone, or spot=False",
        )


class NameTaken(SourceError):
    """There is an image of this name."""

    def __init__(self, name: str, region: str, images: Sequence[str]) -> None:
        super().__init__(
            f"there is an image {name} in {region}: {', '.join(images)}",
            resolution="choose another name, or declare force_deregister=True",
        )


class LayerLost(SourceError):
    """What was saved of a machine cannot be used any more."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, details=why or None, resolution="build again: what is missing is done again")


class NotStarted(BuildError):
    """A saved machine could not be launched, though nothing is wrong with what was saved."""

    def __init__(self, error: SourceError) -> None:
        super().__init__(error.brief, details=error.details, resolution=error.resolution)


class OtherAccount(SourceError):
    """A thing belongs to another account than the credentials."""

    def __init__(self, what: str, owner: str, account: str) -> None:
        super().__init__(
            f"{what} belongs to account {owner}, and the credentials to {account}",
            resolution="use that account's credentials, by AWS_PROFILE or access=Access(profile=…)",
        )


class NoDataChannel(SourceError):
    """The program that carries a session's port does not."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "session-manager-plugin opened no port",
            details=why,
            resolution="check that this host reaches Amazon's ssmmessages endpoint by HTTPS",
        )


class NoPassword(SourceError):
    """A Windows instance has told no password that can be used."""

    def __init__(self, instance: str, why: str) -> None:
        super().__init__(
            f"the administrator's password of {instance} is not known: {why}",
            resolution="raise password_timeout=…; an image that was not generalised with EC2Launch makes no new one:"
            " declare communicator=WinRM(password=…) then",
        )
