"""An AMI from a disk, by way of S3 and Amazon's import."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal, get_args

import attrs

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.specs.image import BootMode, ImageOptions, image_problems, secrecy_problems
from packerpy.backends.amazon.specs.kms import key_problems
from packerpy.backends.amazon.specs.registration import word_problems
from packerpy.contracts import PostProcessor, PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.values import Problem, Support

Format = Literal["ova", "raw", "vmdk", "vhd", "vhdx"]


@declaration(kw_only=True, slots=False)
class Import(ImageOptions, PostProcessorSpec):
    """A disk becomes an AMI by Amazon's import, which changes it so that it boots there; :class:`DirectAMI` is faster.

    The file is uploaded to a bucket, imported, and what comes out is copied to its name; file and intermediate image
    are removed again.

    :param bucket: an existing one, in the same region; Amazon's service role must be allowed to read it.
    :param object_key: the file's name there; by default one of our own.
    :param region: by default the environment's or profile's.
    :param access: credentials and endpoint.
    :param output: which file of the artifact.
    :param format: ``ova``, ``raw``, ``vmdk``, ``vhd`` or ``vhdx``; by default as the artifact or the file's name tells.
    :param role_name: the service role, if it is not named ``vmimport``.
    :param architecture: of the guest.
    :param platform: of the guest; needed for ``uefi``.
    :param boot_mode: of the guest.
    :param license_type: ``AWS`` or ``BYOL``, for Windows.
    :param encrypted: encrypt the image.
    :param kms_key: by which key; the account's default key else.
    :param s3_encryption: of the file in the bucket: ``AES256`` or ``aws:kms``.
    :param s3_kms_key: by which key.
    :param skip_clean: leave the file in the bucket.
    :param keep_input: whether the disk stays as a result; by default it does not, as with Packer.
    """

    kind: ClassVar[str] = "amazon.import"
    makes_files: ClassVar[bool | None] = False
    keeps_input: ClassVar[bool] = False
    support: ClassVar[tuple[Support, ...]] = (
        Support("`amazon.Import`: upload, copy, tags, removal of the file", "moto 5.2 behind HTTP", "run"),
        Support("`amazon.Import`: the import task itself", "a stand-in for three calls", "simulated"),
    )

    bucket: str
    object_key: str | None = None
    region: str | None = None
    access: Access = attrs.field(factory=Access)
    output: str = "disk"
    format: Format | None = None
    role_name: str | None = None
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    platform: Literal["Linux", "Windows"] | None = None
    boot_mode: BootMode | None = None
    license_type: Literal["AWS", "BYOL"] | None = None
    encrypted: bool = False
    kms_key: str | None = None
    s3_encryption: Literal["AES256", "aws:kms"] | None = None
    s3_kms_key: str | None = None
    skip_clean: bool = False
    keep_input: bool | None = None

    @property
    def title(self) -> str:
        """One line for people."""
        return f"import as AMI {self.ami_name}"

    def check(self) -> Iterable[Problem]:
        """Every rule that needs no look at Amazon."""
        yield from (problem.within("access") for problem in self.access.problems())
        yield from image_problems(self)
        yield from secrecy_problems(self, encrypted=self.encrypted, own_key=self.kms_key is not None)
        if not self.bucket:
            yield Problem(where="bucket", what="is missing", fix="give the name of an existing bucket")
        choices: dict[str, tuple[object, ...]] = {
            "format": (*get_args(Format), None),
            "architecture": ("x86_64", "arm64"),
            "platform": ("Linux", "Windows", None),
            "boot_mode": (*get_args(BootMode), None),
            "license_type": ("AWS", "BYOL", None),
            "s3_encryption": ("AES256", "aws:kms", None),
        }
        yield from word_problems(self, choices)
        if self.boot_mode == "uefi" and self.platform is None:
            yield Problem(where="platform", what="is needed for uefi", fix='add platform="Linux" or "Windows"')
        if self.architecture == "arm64" and self.boot_mode != "uefi":
            yield Problem(where="boot_mode", what="arm64 boots by UEFI only", fix='add boot_mode="uefi"')
        if self.kms_key is not None and not self.encrypted:
            yield Problem(where="kms_key", what="is of no use without encryption", fix="add encrypted=True")
        yield from key_problems("kms_key", self.kms_key)
        yield from key_problems("s3_kms_key", self.s3_kms_key)
        if self.s3_kms_key is not None and self.s3_encryption != "aws:kms":
            yield Problem(where="s3_kms_key", what='needs s3_encryption="aws:kms"', fix="add it")

    def load(self) -> PostProcessor:
        """The worker."""
        from packerpy.backends.amazon.importing import Worker

        return Worker(self)
