"""Tar streams that come from a machine nobody trusts."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from packerpy.errors import CommunicatorError
from packerpy.kit.tree_stream import pack, unpack


def archive(*members: tuple[str, bytes, str, bytes]) -> io.BytesIO:
    """A stream of (name, type, link, content)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, kind, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            made.addfile(info, io.BytesIO(content))
    stream.seek(0)
    return stream


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", ".."])
def test_names_outside_are_refused(tmp_path: Path, name: str) -> None:
    """A stream cannot write beside its folder."""
    (tmp_path / "in").mkdir()
    with pytest.raises(CommunicatorError, match="outside"):
        unpack(archive((name, tarfile.REGTYPE, "", b"x")), tmp_path / "in")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_links_lead_nobody_out(tmp_path: Path) -> None:
    """Neither a link of the stream nor one that lies there already is followed when a file is written."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "old").symlink_to(tmp_path / "out")
    with pytest.raises(OSError):
        unpack(
            archive(
                ("link", tarfile.SYMTYPE, str(tmp_path / "out"), b""),
                ("link/file", tarfile.REGTYPE, "", b"x"),
            ),
            tmp_path / "in",
        )
    unpack(archive(("old/file", tarfile.REGTYPE, "", b"x")), tmp_path / "in")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_hard_link_to_a_link_is_no_way_out(tmp_path: Path) -> None:
    """Only plain files below the folder are linked to."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("s")
    with pytest.raises(CommunicatorError, match="outside"):
        unpack(archive(("h", tarfile.LNKTYPE, "../secret", b"")), tmp_path / "in")


def test_a_damaged_stream(tmp_path: Path) -> None:
    """It is an error of the channel, not a traceback of the library."""
    with pytest.raises(CommunicatorError, match="damaged"):
        unpack(io.BytesIO(b"nonsense" * 200), tmp_path)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """Sockets, pipes and devices are left out, in both directions, and named."""
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(source / "socket"))
    (source / "file").write_text("x")
    told: list[str] = []
    stream = io.BytesIO()
    pack(source, stream, skipped=told.append)
    assert sorted(told) == ["pipe", "socket"]
    stream.seek(0)
    target = tmp_path / "target"
    target.mkdir()
    unpack(stream, target)
    assert [path.name for path in target.iterdir()] == ["file"]
    unpack(archive(("device", tarfile.CHRTYPE, "", b"")), target, skipped=told.append)
    assert told[-1] == "device"


def test_the_same_folder_gives_the_same_stream(tmp_path: Path) -> None:
    """The order does not depend on the file system, and no owner is in it."""
    for name in "cab":
        (tmp_path / name).write_text(name)
    first, second = io.BytesIO(), io.BytesIO()
    pack(tmp_path, first)
    pack(tmp_path, second)
    assert first.getvalue() == second.getvalue()
    first.seek(0)
    with tarfile.open(fileobj=first) as made:
        assert [(m.name, m.uid, m.uname) for m in made] == [("a", 0, ""), ("b", 0, ""), ("c", 0, "")]
