"""An ext4 file system made from a folder, straight at its place in a disk image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import attrs

from packerpy.contracts import Cancellation
from packerpy.errors import SourceError
from packerpy.kit import process
from packerpy.kit.disk_image.ext4_times import set_times
from packerpy.kit.namespaces import isolated

_BLOCK = 4096


@attrs.frozen(kw_only=True)
class Ext4:
    """What is to be made.

    :ivar offset: where in the image it begins, in bytes.
    :ivar size: bytes.
    :ivar id: its UUID; also seeds the hashes of folders.
    :ivar label: at most 16 characters.
    :ivar reserved: per cent of the blocks kept for root; mke2fs's own 5 is much on a large disk.
    :ivar epoch: seconds since 1970 that its own times are set to; now by default.
    """

    offset: int
    size: int
    id: UUID
    label: str = "root"
    reserved: int = 1
    epoch: int | None = None

    def arguments(self, tree: Path, image: Path) -> Sequence[str]:
        """Those of mke2fs.

        Two newer features are left out: GRUB before 2.12 refuses one, kernels before 5.15 the other.
        """
        extended = f"offset={self.offset},hash_seed={self.id},root_owner=0:0,lazy_itable_init=0,nodiscard"
        features = "^metadata_csum_seed,^orphan_file"
        what = ["-q", "-F", "-t", "ext4", "-b", str(_BLOCK), "-O", features, "-U", str(self.id), "-L", self.label]
        how = ["-m", str(self.reserved), "-E", extended, "-d", str(tree)]
        return [*what, *how, str(image), str(self.size // _BLOCK)]


def make_ext4(wanted: Ext4, tree: Path, image: Path, *, cancellation: Cancellation | None = None) -> None:
    """Fill the place of ``wanted`` in ``image`` with a file system that holds what is in the folder ``tree``.

    With an ``epoch``, equal trees give equal file systems, as long as they are read from the same kind of file system:
    the order in which folders list their files is that of the host.

    Owners, modes, extended attributes, hard and symbolic links and device nodes come along.

    :raises SourceError: the tree does not fit, or cannot be read.
    """
    mke2fs = process.find_tool("mke2fs", package="e2fsprogs", needed_for="the root file system")
    env = dict(os.environ)
    if wanted.epoch is not None:
        # The first is e2fsprogs' own name for it, up to 1.47.0.
        env |= {"E2FSPROGS_FAKE_TIME": str(wanted.epoch), "SOURCE_DATE_EPOCH": str(wanted.epoch)}
    argv = isolated([mke2fs, *wanted.arguments(tree, image)])
    try:
        process.call(argv, cancellation=cancellation, env=env, error=SourceError, label="mke2fs")
    except SourceError as error:
        if "llocate" not in (error.details or "") and "No free space" not in (error.details or ""):
            raise
        raise SourceError(
            f"the tree does not fit into a root file system of {wanted.size >> 20} MiB",
            details=error.details,
            resolution="raise size=",
        ) from error
    if wanted.epoch is not None:
        set_times(image, wanted.offset, wanted.epoch, cancellation=cancellation)
