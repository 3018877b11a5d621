"""A file in a bucket, and a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from packerpy.backends.amazon.errors import NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.contracts import Run, Step


@attrs.frozen(kw_only=True)
class UploadObject(Thing, Step[str]):
    """Acquires a file in a bucket, by its key.

    :ivar source: the file here.
    :ivar bucket: where to.
    :ivar key: its name there, which nothing else has.
    :ivar options: of the upload: encryption.
    """

    source: Path
    bucket: str
    key: str
    options: dict[str, str] = attrs.field(factory=dict)

    @property
    def title(self) -> str:
        """Which."""
        return f"object s3://{self.bucket}/{self.key}"

    def do(self, run: Run) -> str:
        """Upload it, in parts when it is large."""
        self.at(run).upload(self.source, self.bucket, self.key, self.options)
        return self.key

    def undo(self, run: Run, made: str) -> None:
        """Delete it, and the parts of an upload that was not finished."""
        at = self.at(run)
        for identity in self._unfinished(run):
            try:
                at.call("s3.AbortMultipartUpload", Bucket=self.bucket, Key=self.key, UploadId=identity)
            except NotFound:
                pass
        at.call("s3.DeleteObject", Bucket=self.bucket, Key=self.key)

    def find(self, run: Run) -> str | None:
        """By its key, finished or not."""
        listed = self.at(run).call("s3.ListObjectsV2", Bucket=self.bucket, Prefix=self.key).get("Contents", ())
        there = any(one["Key"] == self.key for one in listed)
        return self.key if there or self._unfinished(run) else None

    def _unfinished(self, run: Run) -> list[str]:
        answer = self.at(run).call("s3.ListMultipartUploads", Bucket=self.bucket, Prefix=self.key)
        return [str(one["UploadId"]) for one in answer.get("Uploads", ()) if one["Key"] == self.key]


@attrs.frozen(kw_only=True)
class Folder(Thing, Step[str]):
    """Acquires a place in a bucket that others fill, by its prefix.

    :ivar bucket: where.
    :ivar prefix: what the keys begin with, and none else do.
    """

    bucket: str
    prefix: str

    @property
    def title(self) -> str:
        """Which."""
        return f"objects s3://{self.bucket}/{self.prefix}"

    def do(self, run: Run) -> str:
        """Nothing is to be made: a folder is there when there is something in it."""
        return self.prefix

    def undo(self, run: Run, made: str) -> None:
        """Delete all that is in it."""
        at = self.at(run)
        for key in tuple(self._keys(run)):
            at.call("s3.DeleteObject", Bucket=self.bucket, Key=key)

    def find(self, run: Run) -> str | None:
        """Whether there is something in it."""
        return self.prefix if any(True for _ in self._keys(run)) else None

    def _keys(self, run: Run) -> Iterator[str]:
        listed = self.at(run).pages("s3.ListObjectsV2", "Contents", Bucket=self.bucket, Prefix=self.prefix)
        return (str(one["Key"]) for one in listed)
