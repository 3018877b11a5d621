"""Files in S3 over plain HTTP: where they are, and requests signed. The only importer of botocore in the kit."""

from __future__ import annotations

import urllib.parse
from collections.abc import Generator
from typing import Any

import attrs
import httpx

from packerpy.errors import BuildError

_REGION = "x-amz-bucket-region"
"""In which region a bucket is; S3 says so when it is asked in another."""


@attrs.define
class Signed(httpx.Auth):
    """Signs requests for one file, again for the right region if the first one was wrong.

    Without credentials it signs nothing: buckets may be public.
    """

    session: Any = attrs.field(repr=False)
    url: str
    region: str

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See httpx."""
        self._sign(request)
        response = yield request
        region = response.headers.get(_REGION, self.region)
        if (response.is_error or response.is_redirect) and region != self.region:
            self.region = region
            request.url = httpx.URL(_address(self.session, self.url, region))
            request.headers["Host"] = request.url.netloc.decode("ascii")
            self._sign(request)
            yield request

    def _sign(self, request: httpx.Request) -> None:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self.session.get_credentials()
        if credentials is None:
            return
        asked = AWSRequest(method=request.method, url=str(request.url), headers={"Host": request.headers["Host"]})
        S3SigV4Auth(credentials.get_frozen_credentials(), "s3", self.region).add_auth(asked)
        request.headers.update(dict(asked.headers.items()))


def locate(url: str) -> tuple[str, httpx.Auth]:
    """The address of ``s3://bucket/key``, and what signs requests for it.

    Credentials, region and endpoint are those of the environment and of Amazon's own configuration files.

    :raises BuildError: the library is missing, or cannot use that configuration.
    """
    try:
        import boto3.session
    except ImportError as error:
        raise BuildError(
            f"{url} needs the library boto3, which is not installed",
            resolution='install it with `pip install "packerpy[amazon]"`',
        ) from error
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.session.Session()
        region = session.region_name or "us-east-1"
        session.get_credentials()
        return _address(session, url, region), Signed(session, url, region)
    except BotoCoreError as error:
        raise BuildError(
            f"cannot ask S3 for {url}",
            details=str(error),
            resolution="check the environment variables AWS_… and the files in ~/.aws",
        ) from error


def _address(session: Any, url: str, region: str) -> str:
    """With the bucket in the path, which every region and every other server that speaks S3 understands."""
    parts = urllib.parse.urlsplit(url)
    key = urllib.parse.quote(urllib.parse.unquote(parts.path.lstrip("/")))
    return f"{session.client('s3', region_name=region).meta.endpoint_url}/{parts.netloc}/{key}"
