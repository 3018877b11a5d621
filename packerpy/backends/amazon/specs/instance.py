"""An AMI whose root is a bundle in S3."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import attrs

from packerpy.backends.amazon.specs.devices import Disk, disks, problems_of
from packerpy.backends.amazon.specs.instance_image import InstanceImage, instance_image_problems
from packerpy.backends.amazon.specs.registration import RegisterOptions, register_problems, register_reads
from packerpy.contracts import Source, SourceSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

BUNDLE = (
    'ec2-bundle-vol --batch --no-filter --privatekey "$X509_KEY" --cert "$X509_CERT" --user "$ACCOUNT"'
    ' --arch "$ARCHITECTURE" --exclude "$X509_FOLDER,$BUNDLE_FOLDER"'
    ' --destination "$BUNDLE_FOLDER" --prefix "$BUNDLE_PREFIX"'
)

UPLOAD = (
    'ec2-upload-bundle --batch --retry --bucket "$BUCKET" --manifest "$MANIFEST" --directory "$BUNDLE_FOLDER"'
    ' --region "$REGION" --access-key "$AWS_ACCESS_KEY_ID" --secret-key "$AWS_SECRET_ACCESS_KEY"'
    ' ${AWS_SESSION_TOKEN:+--delegation-token "$AWS_SESSION_TOKEN"} ${S3_URL:+--url "$S3_URL"}'
)


@declaration(kw_only=True, slots=False)
class Instance(InstanceImage, RegisterOptions, SourceSpec):
    """An AMI whose root is a bundle in S3, for instances with an instance store.

    The image that it starts from must have Amazon's AMI tools. After the steps, the running instance bundles its own
    root, signs it and uploads it; an image is registered of that. The lines that do so are run as root by the machine's
    shell, and find in their environment: ``X509_KEY``, ``X509_CERT``, ``X509_FOLDER``, ``ACCOUNT``, ``ARCHITECTURE``,
    ``BUNDLE_FOLDER``, ``BUNDLE_PREFIX``, ``MANIFEST``; for the upload also ``BUCKET``, ``REGION``, ``S3_URL`` (with
    another endpoint than Amazon's) and the credentials of the build, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_SESSION_TOKEN``. Amazon's tool takes these as arguments only, so that within the machine, while it uploads,
    they are seen in the list of processes.

    :param account_id: the account's number, by which the bundle is encrypted.
    :param bucket: an existing one in the same region, or a folder of it (``images/web``); the bundle gets a folder of
        its own there, which belongs to the image.
    :param x509_cert: file of the certificate that the account has for signing.
    :param x509_key: file of its private key.
    :param x509_folder: where both lie in the machine meanwhile; not part of the bundle.
    :param bundle_folder: where the bundle lies meanwhile; as large as the root is, compressed.
    :param bundle_prefix: the bundle's name.
    :param bundle_command: makes it.
    :param upload_command: uploads it.
    :param image_disks: disks of the image, besides its root.
    """

    kind: ClassVar[str] = "amazon.instance"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.Instance`: requests", "moto 5.2 behind HTTP, with a real sshd in the machine's place", "run"),
        Support("`amazon.Instance`: bundling and upload", "stand-ins for Amazon's AMI tools", "simulated"),
        Support("`amazon.Instance` against Amazon itself", "nothing", "not run"),
    )

    account_id: str
    bucket: str
    x509_cert: Path = attrs.field(converter=Path)
    x509_key: Path = attrs.field(converter=Path)
    x509_folder: str = "/tmp"  # noqa: S108  in the machine; a folder of our own is made in it
    bundle_folder: str = "/tmp"  # noqa: S108  likewise
    bundle_prefix: str = "image"
    bundle_command: str = BUNDLE
    upload_command: str = UPLOAD
    image_disks: tuple[Disk, ...] = attrs.field(default=(), converter=disks)

    @property
    def account(self) -> str:
        """The account's number, without dashes."""
        return self.account_id.replace("-", "")

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon."""
        yield from instance_image_problems(self)
        yield from register_problems(self)
        yield from problems_of("image_disks", self.image_disks)
        if not re.fullmatch(r"\d{12}", self.account):
            fix = "an account's id has 12 digits"
            yield Problem(where="account_id", what="is not an account", seen=repr(self.account_id), fix=fix)
        if not self.bucket.strip("/"):
            yield Problem(where="bucket", what="is missing", fix="give the name of an existing bucket")
        for where in ("x509_cert", "x509_key"):
            path: Path = getattr(self, where)
            if not path.is_file():
                fix = "give the file in PEM format"
                yield Problem(where=where, what="there is no such file", seen=str(path), fix=fix)
        yield from self._bundle()
        for where in ("encrypt", "encrypt_copies", "copy_kms_keys"):
            if getattr(self, where):
                fix = "leave it out: its root is no volume"
                yield Problem(where=where, what="does not go with an image in S3", fix=fix)
        if self.communicator is not None and self.communicator.kind == "none":
            fix = "leave it out to use SSH"
            yield Problem(where="communicator", what="is needed: the machine bundles itself", fix=fix)

    def _bundle(self) -> Iterable[Problem]:
        for where in ("x509_folder", "bundle_folder"):
            if not getattr(self, where).startswith("/"):
                fix = "write its whole path in the machine"
                yield Problem(where=where, what="is not absolute", seen=getattr(self, where), fix=fix)
        for where in ("bundle_command", "upload_command"):
            if not getattr(self, where).strip():
                yield Problem(where=where, what="is empty", fix="leave it out to have the default")
        if not re.fullmatch(r"[\w.-]+", self.bundle_prefix):
            fix = "use letters, digits, dots, dashes and underscores"
            yield Problem(where="bundle_prefix", what="is not a name", seen=repr(self.bundle_prefix), fix=fix)

    def reads(self) -> Iterable[Path]:
        """Files with first-boot data and UEFI variables, and the certificate; the key belongs to that."""
        yield from InstanceImage.reads(self)
        yield from register_reads(self)
        yield self.x509_cert

    def load(self) -> Source:
        """The worker."""
        from packerpy.backends.amazon.bundling import InstanceStoreSource

        return InstanceStoreSource(self)
