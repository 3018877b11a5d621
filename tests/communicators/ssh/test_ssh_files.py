"""Files and folders over a real server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CommunicatorError, Disconnected, OutputError
from packerpy.kit.ssh_keys import make_key_pair
from tests.communicators.ssh.sshd_server import Sshd


def leftovers(folder: Path) -> list[str]:
    """Temporary files of ours."""
    return [path.name for path in folder.rglob(".packerpy-*")]


def test_targets_that_cannot_be_written(channel: SSHChannel, tmp_path: Path) -> None:
    """A full or missing place ends in a clear error and leaves the old file as it was."""
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    with pytest.raises(CommunicatorError, match=r"No space left|nonexistent|Permission|No such"):
        channel.put(tmp_path / "file", PurePosixPath("/proc/nonexistent/file"))
    with pytest.raises(OutputError, match="no folder"):
        channel.get(PurePosixPath(tmp_path / "file"), tmp_path / "missing" / "file")


@pytest.mark.root
def test_a_full_disk(channel: SSHChannel, tmp_path: Path) -> None:
    """An upload that does not fit fails with the machine's own words; the old file and no temporary one is there."""
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", full], check=True)
    try:
        (full / "target").write_text("old")
        (tmp_path / "big").write_bytes(os.urandom(1_000_000))
        with pytest.raises(CommunicatorError, match="No space left"):
            channel.put(tmp_path / "big", PurePosixPath(full / "target"))
        assert (full / "target").read_text() == "old"
        assert leftovers(full) == []
    finally:
        subprocess.run(["umount", full], check=True)


def test_a_connection_lost_during_an_upload(channel: SSHChannel, sshd: Sshd, tmp_path: Path) -> None:
    """Half a file never gets the file's name."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    target = tmp_path / "target"

    def feed(write) -> None:
        write(b"half")
        sshd.hang_up()

    from packerpy.communicators.ssh import remote_script

    line = remote_script.put_file(str(target), str(tmp_path / ".packerpy-x"), str(tmp_path), size=8, mode=0o600)
    with pytest.raises(Disconnected):
        channel.transfer(line, "the upload", feed=feed)
    assert not target.exists()


def make_tree(folder: Path) -> None:
    """Everything a tree may hold."""
    (folder / "empty").mkdir(parents=True)
    (folder / "private").mkdir(mode=0o700)
    (folder / "private" / "key").write_text("k")
    (folder / "private" / "key").chmod(0o600)
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o4755)
    (folder / "with space").mkdir()
    (folder / "with space" / "ünïcode 'x' \n newline").write_text("u")
    (folder / os.fsdecode(b"latin\xe4")).write_text("bytes")
    (folder / ("long" * 30)).mkdir()
    (folder / ("long" * 30) / ("name" * 50)).write_text("long")
    (folder / "link").symlink_to("tool")
    (folder / "dangling").symlink_to("/no/where")
    (folder / "to folder").symlink_to("empty")
    os.link(folder / "tool", folder / "hard")
    for path in folder.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1_600_000_000, 1_600_000_000))


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """What a tree is, for comparison."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        times = 0 if path.is_symlink() else int(status.st_mtime)
        found[str(path.relative_to(folder))] = (
            oct(status.st_mode),
            status.st_nlink if path.is_file() else 0,
            times,
            content,
        )
    return found


@pytest.mark.parametrize("abilities", [{"tar", "gnu", "zstd"}, {"tar", "gnu"}, {"tar"}], ids=["zstd", "plain", "small"])
def test_a_tree_there_and_back(channel: SSHChannel, tmp_path: Path, abilities: set[str]) -> None:
    """Names, contents, modes, links and times survive, whatever the machine's tar can do."""
    make_tree(tmp_path / "source")
    channel._mover._known = frozenset(abilities)
    channel.put_tree(tmp_path / "source", PurePosixPath(tmp_path / "there" / "deep"))
    assert listing(tmp_path / "there" / "deep") == listing(tmp_path / "source")
    channel.get_tree(PurePosixPath(tmp_path / "there" / "deep"), tmp_path / "back")
    assert listing(tmp_path / "back") == listing(tmp_path / "source")
    assert leftovers(tmp_path) == []


def test_two_thousand_small_files(channel: SSHChannel, tmp_path: Path) -> None:
    """They arrive, and what is there already in the target stays."""
    source = tmp_path / "source"
    for number in range(2000):
        path = source / f"{number % 20}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("stays")
    channel.put_tree(source, PurePosixPath(tmp_path / "target"))
    assert len(list((tmp_path / "target").rglob("*.txt"))) == 2000
    assert (tmp_path / "target" / "mine").read_text() == "stays"


def test_what_exists_keeps_its_mode_and_its_links(channel: SSHChannel, tmp_path: Path) -> None:
    """A tree put into a system's root changes neither a folder's mode nor a link such as /bin into a folder."""
    (tmp_path / "source" / "bin").mkdir(parents=True)
    (tmp_path / "source" / "bin" / "tool").write_text("new")
    (tmp_path / "source" / "etc").mkdir(mode=0o775)
    (tmp_path / "root" / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "etc").mkdir(mode=0o711)
    (tmp_path / "root" / "bin").symlink_to("usr/bin")
    (tmp_path / "root").chmod(0o711)
    channel.put_tree(tmp_path / "source", PurePosixPath(tmp_path / "root"))
    assert (tmp_path / "root" / "bin").is_symlink()
    assert (tmp_path / "root" / "usr" / "bin" / "tool").read_text() == "new"
    assert (tmp_path / "root" / "etc").stat().st_mode & 0o777 == 0o711
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o711


def test_a_machine_without_tar(channel: SSHChannel, tmp_path: Path) -> None:
    """It is said, with what to do."""
    channel._mover._known = frozenset()
    with pytest.raises(CommunicatorError, match="has no tar"):
        channel.put_tree(tmp_path, PurePosixPath("/tmp/x"))


def test_the_probe_finds_what_this_machine_has(channel: SSHChannel) -> None:
    """The development machine has GNU tar."""
    assert {"tar", "gnu"} <= channel._mover.abilities()


def test_key_pairs_log_in(sshd: Sshd, tmp_path: Path) -> None:
    """OpenSSH itself accepts the key file: it prints the same public key and fingerprint."""
    pair = make_key_pair(tmp_path / "keys", "me@here")
    printed = subprocess.run(
        ["ssh-keygen", "-y", "-f", pair.private], check=True, capture_output=True, text=True
    ).stdout
    assert printed.split()[:2] == pair.public.split()[:2]
    listed = subprocess.run(["ssh-keygen", "-l", "-f", pair.private], check=True, capture_output=True, text=True).stdout
    assert listed.split()[1] == pair.fingerprint
