"""Files and folders through a real agent."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.agent import GuestAgent, transfer
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.communicators.agent.guest_script import User
from packerpy.errors import CancelledError, CommunicatorError
from packerpy.testing import TestRun

pytestmark = pytest.mark.root


def leftovers(folder: Path) -> list[str]:
    """Temporary files of ours."""
    return [path.name for path in folder.rglob(".packerpy-*")]


def test_the_declaration() -> None:
    """What cannot be is told beforehand."""
    assert [problem.where for problem in GuestAgent(user="", timeout=0).check()] == ["user", "timeout"]
    assert list(GuestAgent().check()) == []


def test_a_mode_of_choice(channel: AgentChannel, tmp_path: Path) -> None:
    """``mode`` beats the source's; the file belongs to the channel's user."""
    (tmp_path / "file").write_text("x")
    channel.session.user = User(name="nobody", home="/", ids=(65534, 65534))
    (tmp_path / "to").write_text("old")
    with pytest.raises(CommunicatorError):
        channel.get(PurePosixPath("/no/where"), tmp_path / "back")
    channel.put(tmp_path / "file", PurePosixPath(tmp_path / "to"), mode=0o600)
    status = (tmp_path / "to").stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o600, 65534)


def test_what_is_no_ordinary_file_does_not_stop_the_agent(channel: AgentChannel, run: TestRun, tmp_path: Path) -> None:
    """A pipe, which the agent itself would wait for, is read by a command that a cancel ends."""
    import threading

    os.mkfifo(tmp_path / "pipe")
    threading.Timer(1.0, run.cancellation.request).start()
    with pytest.raises(CancelledError):
        channel.get(PurePosixPath(tmp_path / "pipe"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("size", [500_000, 3_000_000])
def test_a_full_disk(channel: AgentChannel, tmp_path: Path, size: int) -> None:
    """An upload that does not fit fails with the machine's own words; the old file and no temporary one is there."""
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", full], check=True)
    try:
        (full / "target").write_text("old")
        (tmp_path / "big").write_bytes(os.urandom(size))
        with pytest.raises(CommunicatorError, match="No space left"):
            channel.put(tmp_path / "big", PurePosixPath(full / "target"))
        assert (full / "target").read_text() == "old"
        assert leftovers(full) == []
    finally:
        subprocess.run(["umount", full], check=True)


def make_tree(folder: Path) -> None:
    """Everything a tree may hold, and more than fits into one request."""
    (folder / "empty").mkdir(parents=True)
    (folder / "private").mkdir(mode=0o700)
    (folder / "private" / "key").write_text("k")
    (folder / "private" / "key").chmod(0o600)
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o4755)
    (folder / "ünïcode 'x' \n newline").write_text("u")
    (folder / os.fsdecode(b"latin\xe4")).write_text("bytes")
    (folder / ("long" * 30)).mkdir()
    (folder / ("long" * 30) / ("name" * 50)).write_text("long")
    (folder / "big").write_bytes(os.urandom(2_500_000))
    (folder / "dangling").symlink_to("/no/where")
    (folder / "to folder").symlink_to("empty")
    os.link(folder / "tool", folder / "hard")


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """What a tree is, for comparison."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (oct(status.st_mode), path.is_file() and status.st_nlink, content)
    return found


@pytest.mark.parametrize("without", [set(), {"zstd"}, {"zstd", "gnu"}], ids=["zstd", "plain", "small"])
def test_a_tree_there_and_back(channel: AgentChannel, tmp_path: Path, without: set[str]) -> None:
    """Names, contents, modes and links survive, whatever the machine's tar can do."""
    make_tree(tmp_path / "source")
    assert {"tar", "gnu"} <= channel.session.abilities
    channel.session.abilities -= without
    channel.put_tree(tmp_path / "source", PurePosixPath(tmp_path / "there" / "deep"))
    assert listing(tmp_path / "there" / "deep") == listing(tmp_path / "source")
    channel.get_tree(PurePosixPath(tmp_path / "there" / "deep"), tmp_path / "back")
    assert listing(tmp_path / "back") == listing(tmp_path / "source")
    assert leftovers(tmp_path) == []


def test_a_machine_without_tar(channel: AgentChannel, tmp_path: Path) -> None:
    """It is said, with what to do."""
    channel.session.abilities = frozenset({"setsid"})
    with pytest.raises(CommunicatorError, match="has no tar"):
        channel.put_tree(tmp_path, PurePosixPath("/tmp/x"))


def test_a_cancel_during_an_upload(channel: AgentChannel, run: TestRun, tmp_path: Path) -> None:
    """What lay in the machine is gone, and the channel still speaks after a request was cut in two."""

    class Endless:
        def __init__(self) -> None:
            self.count = 0

        def tell(self) -> int:
            return 0

        def seek(self, *_: int) -> int:
            return 0

        def read(self, size: int) -> bytes:
            self.count += 1
            if self.count == 5:
                run.cancellation.request()
            return bytes(size)

    with pytest.raises(CancelledError):
        transfer.send(channel, "cat >/dev/null", "the upload", Endless())  # type: ignore[arg-type]
    assert channel.session.capture is not None
