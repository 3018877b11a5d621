"""Key pairs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packerpy.errors import BuildError
from packerpy.kit.ssh_keys import KeyKind, fingerprint, make_key_pair, public_of


def test_a_pair_is_private_and_new_each_time(tmp_path: Path) -> None:
    """Nobody else can read the private half, and no two pairs are the same."""
    first, second = make_key_pair(tmp_path / "a", "one"), make_key_pair(tmp_path / "b", "two")
    assert first.private.stat().st_mode & 0o777 == 0o600
    assert first.private.read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert first.public.startswith("ssh-ed25519 ")
    assert first.public.endswith(" one")
    assert first.fingerprint != second.fingerprint
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["id_ed25519"]


@pytest.mark.parametrize(
    ("kind", "name", "bits"),
    [("ed25519", "ssh-ed25519", "256"), ("rsa", "ssh-rsa", "4096"), ("ecdsa", "ecdsa-sha2-nistp256", "256")],
)
def test_openssh_reads_each_type(tmp_path: Path, kind: KeyKind, name: str, bits: str) -> None:
    """Its own program finds the same public half, fingerprint and length in the private one."""
    made = make_key_pair(tmp_path, "web", kind=kind)
    assert made.public.startswith(f"{name} ")
    told = subprocess.run(["ssh-keygen", "-y", "-f", made.private], capture_output=True, text=True, check=True).stdout
    assert told.split()[:2] == made.public.split()[:2] == public_of(made.private).split()
    listed = subprocess.run(["ssh-keygen", "-l", "-f", made.private], capture_output=True, text=True, check=True).stdout
    assert listed.split()[:2] == [bits, made.fingerprint]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names it."""
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="cannot write an SSH key"):
        make_key_pair(tmp_path / "file" / "sub", "x")


def test_nonsense_has_no_fingerprint() -> None:
    """It is refused, not hashed."""
    with pytest.raises(ValueError, match="not a public SSH key"):
        fingerprint("ssh-ed25519")
