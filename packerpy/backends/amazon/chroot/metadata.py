"""Which instance this host is."""

from __future__ import annotations

import os
from urllib.parse import urljoin

import attrs

from packerpy.backends.amazon.errors import NotAnInstance

_ENDPOINT = "http://169.254.169.254/"
_SECONDS = 3.0


@attrs.frozen(kw_only=True)
class Identity:
    """What the metadata service tells of it.

    :ivar architecture: ``x86_64`` or ``arm64``.
    """

    instance: str
    region: str
    zone: str
    architecture: str


def identity() -> Identity:
    """Ask the metadata service, version 2.

    ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` names another one, as for Amazon's own tools.

    :raises NotAnInstance: nobody answers, or with something else.
    """
    import httpx

    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _ENDPOINT).rstrip("/") + "/"
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            seconds = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            token = client.put(urljoin(base, "latest/api/token"), headers=seconds).raise_for_status().text
            url = urljoin(base, "latest/dynamic/instance-identity/document")
            told = client.get(url, headers={"X-aws-ec2-metadata-token": token}).raise_for_status().json()
        return Identity(
            instance=str(told["instanceId"]),
            region=str(told["region"]),
            zone=str(told["availabilityZone"]),
            architecture=str(told["architecture"]),
        )
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise NotAnInstance(base, f"{type(error).__name__}: {error}") from error
