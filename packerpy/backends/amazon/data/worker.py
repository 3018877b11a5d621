"""The look-ups."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs

from packerpy.backends.amazon.data.specs import FindAMI, Parameter, SecretsManager
from packerpy.backends.amazon.launch import region_cloud
from packerpy.contracts import DataSource, Run
from packerpy.declare import Secret
from packerpy.errors import DataError, SourceError


@attrs.frozen
class AMIReader(DataSource):
    """Carries out a :class:`FindAMI`."""

    spec: FindAMI

    def read(self, run: Run) -> object:
        """Ask EC2, and choose."""
        spec = self.spec
        wanted = {"state": "available", **spec.filters, **({"name": spec.ami_name} if spec.ami_name else {})}
        found: list[Any] = _asked(
            lambda: list(
                region_cloud(run, spec).pages(
                    "ec2.DescribeImages",
                    "Images",
                    Owners=list(spec.owners),
                    IncludeDeprecated=spec.include_deprecated,
                    Filters=[{"Name": name, "Values": [value]} for name, value in wanted.items()],
                )
            )
        )
        found.sort(key=lambda image: (str(image.get("CreationDate")), str(image["ImageId"])))
        if not found or (len(found) > 1 and not spec.most_recent):
            raise DataError(
                f"{'no image' if not found else f'{len(found)} images'} of {', '.join(spec.owners)} match",
                details="\n".join([*(f"{k}={v}" for k, v in wanted.items()), *(i["ImageId"] for i in found[-10:])]),
                resolution="correct the filters" if not found else "make them match one, or add most_recent=True",
            )
        image = found[-1]
        return {
            "id": image["ImageId"],
            "name": image.get("Name"),
            "owner": image.get("OwnerId"),
            "created": str(image.get("CreationDate")),
            "architecture": image.get("Architecture"),
            "root_device": image.get("RootDeviceName"),
            "tags": {tag["Key"]: tag["Value"] for tag in image.get("Tags", ())},
        }


@attrs.frozen
class ParameterReader(DataSource):
    """Carries out a :class:`Parameter`."""

    spec: Parameter

    def read(self, run: Run) -> object:
        """Ask Systems Manager."""
        at = region_cloud(run, self.spec)
        told = _asked(lambda: at.call("ssm.GetParameter", Name=self.spec.path, WithDecryption=True))["Parameter"]
        value = str(told["Value"])
        return {
            "value": Secret(value=value) if told["Type"] == "SecureString" else value,
            "version": told.get("Version"),
            "type": told["Type"],
            "arn": told.get("ARN"),
        }


@attrs.frozen
class SecretReader(DataSource):
    """Carries out a :class:`SecretsManager`."""

    spec: SecretsManager

    def read(self, run: Run) -> object:
        """Ask Secrets Manager."""
        spec = self.spec
        at = region_cloud(run, spec)
        told = _asked(
            lambda: at.call("secretsmanager.GetSecretValue", SecretId=spec.id, VersionStage=spec.version_stage)
        )
        if "SecretString" not in told:
            raise DataError(f"the secret {spec.id} is not a text", resolution="store it as a text, such as base64")
        value = str(told["SecretString"])
        return {"value": value, "version": told.get("VersionId"), "keys": _keys(value)}


def _keys(value: str) -> object:
    """What a JSON object holds."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except SourceError as error:
        raise DataError(error.brief, details=error.details, resolution=error.resolution) from error
