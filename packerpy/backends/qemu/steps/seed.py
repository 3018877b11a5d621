"""The first-boot data and the keys in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import attrs

from packerpy.contracts import Run, Step
from packerpy.kit.seed_iso import SeedData, nocloud_files, packerpy_files, write_iso
from packerpy.kit.ssh_keys import KeyKind, make_key_pair


@attrs.frozen(kw_only=True)
class Access:
    """How a seeded guest is entered.

    :ivar iso: the image that tells it, if one does.
    :ivar key_file: the private key that is let in.
    :ivar public_key: its public half, as a line of ``authorized_keys``.
    :ivar host_key: the public key by which the guest is known; empty when it makes its own.
    """

    iso: Path | None
    key_file: Path
    public_key: str = ""
    host_key: str = ""


@attrs.frozen(kw_only=True)
class MakeKey(Step[Access]):
    """Acquires a key pair for us, for a guest that is told of it in another way than by a seed.

    :ivar folder: a new folder for it.
    :ivar key: its type.
    """

    folder: Path
    key: KeyKind = "ed25519"

    @property
    def title(self) -> str:
        """Where."""
        return f"SSH key in {self.folder}"

    def do(self, run: Run) -> Access:
        """Make it."""
        ours = make_key_pair(self.folder, comment(run), kind=self.key)
        return Access(iso=None, key_file=ours.private, public_key=ours.public)

    def undo(self, run: Run, made: Access) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def find(self, run: Run) -> Access | None:
        """By its folder."""
        return Access(iso=None, key_file=self.folder / "id_ed25519") if self.folder.exists() else None


@attrs.frozen(kw_only=True)
class CopyKey(MakeKey):
    """Acquires a copy of a private key that was kept.

    :ivar source: the file.
    """

    source: Path

    def do(self, run: Run) -> Access:
        """Copy it; nobody else may read it at any time."""
        self.folder.mkdir(mode=0o700)
        target = self.folder / "id_ed25519"
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self.source.read_bytes())
        return Access(iso=None, key_file=target)


def comment(run: Run) -> str:
    """At the end of our public keys; what is let in by it is forgotten when the machine is generalized."""
    return f"packerpy-{run.id}"


@attrs.frozen(kw_only=True)
class MakeSeed(Step[Access]):
    """Acquires a key pair for us, one for the guest, and the seed that carries them.

    :ivar folder: a new folder for all of it.
    :ivar kind: ``packerpy``, ``nocloud`` or ``auto``.
    :ivar user: who logs in.
    :ivar hostname: the guest's name while it is built.
    :ivar key: the type of our key.
    """

    folder: Path
    kind: str
    user: str
    hostname: str
    key: KeyKind = "ed25519"

    @property
    def title(self) -> str:
        """For whom."""
        return f"keys and seed for {self.user}"

    def do(self, run: Run) -> Access:
        """Make keys and image."""
        self.folder.mkdir(mode=0o700)
        ours = make_key_pair(self.folder, comment(run), kind=self.key)
        guests = make_key_pair(self.folder, self.hostname, name="host_ed25519")
        data = SeedData(
            instance=f"packerpy-{run.id}-{self.folder.name}",
            hostname=self.hostname,
            user=self.user,
            authorized_key=ours.public,
            host_key=guests.private.read_text(),
            host_key_public=guests.public,
        )
        files: dict[str, bytes] = {}
        if self.kind in ("nocloud", "auto"):
            files |= nocloud_files(data)
        if self.kind in ("packerpy", "auto"):
            files |= packerpy_files(data)
        iso = write_iso(self.folder / "seed.iso", files)
        host_key = " ".join(guests.public.split()[:2])
        return Access(iso=iso, key_file=ours.private, public_key=ours.public, host_key=host_key)

    def undo(self, run: Run, made: Access) -> None:
        """Remove them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def find(self, run: Run) -> Access | None:
        """By its folder."""
        if not self.folder.exists():
            return None
        return Access(iso=self.folder / "seed.iso", key_file=self.folder / "id_ed25519")
