"""Commands and files in a real tree, in real namespaces."""

import os
import threading
import time
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.local import Local
from packerpy.communicators.local.channel import LocalChannel
from packerpy.errors import CancelledError, CommunicatorError
from packerpy.testing import TestRun
from packerpy.values import Command, Endpoint, Machine

NAP = f"sleep 7{os.getpid()}"
"""Long, and not to be mistaken for that of another session on this host."""


def processes_with(word: str) -> list[str]:
    """Command lines on this host that hold ``word``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


@pytest.mark.parametrize(("line", "status"), [("true", 0), ("exit 7", 7), ("kill -9 $$", 137), ("nonsense-xyz", 127)])
def test_exit_code(channel: LocalChannel, line: str, status: int) -> None:
    """Exit codes come through namespaces and chroot unchanged; signals count as in a shell."""
    assert channel.run(Command(line=line)).exit_status == status


def test_runs_as_root_in_the_tree(channel: LocalChannel) -> None:
    """A command is root, at home, sees the tree's name and its own processes only, and can write to /dev/null."""
    done = channel.run(
        Command(line="id -u; pwd; cat /proc/sys/kernel/hostname; ls /proc | grep -c '^[0-9]'; : > /dev/null")
    )
    uid, home, name, processes = done.stdout.split()
    assert (uid, home, name) == ("0", "/root", "small")
    assert int(processes) < 8


def test_environment(channel: LocalChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the command arrive, a PATH of its own too; nothing of our environment gets in, nor into an argv."""
    monkeypatch.setenv("OUR_SECRET", "x")
    line = "echo $A $PATH $OUR_SECRET; for f in /proc/[0-9]*/cmdline; do cat $f; done"
    done = channel.run(Command(line=line, env={"A": "tellme-not", "PATH": "/here:/usr/bin"}))
    first, rest = done.stdout.split("\n", 1)
    assert first == "tellme-not /here:/usr/bin"
    assert "tellme-not" not in rest


def test_terminal(channel: LocalChannel) -> None:
    """With pty a command has a terminal, and standard error is on it."""
    done = channel.run(Command(line="[ -t 0 ] && [ -t 2 ] && echo yes; echo err >&2", pty=True))
    assert done.stdout.splitlines() == ["yes", "err"]
    assert done.stderr == ""


def test_time_limit(channel: LocalChannel) -> None:
    """A command that takes too long is killed, with all that it started, and the error says so."""
    with pytest.raises(CommunicatorError, match=r"within 0\.3 s"):
        channel.run(Command(line=f"{NAP} & {NAP}", timeout=0.3))
    assert processes_with(NAP) == []


def test_cancel(channel: LocalChannel, run: TestRun) -> None:
    """A cancel ends the running command at once."""
    begun = threading.Event()

    def cancel() -> None:
        begun.wait(10)
        run.cancellation.request()

    threading.Thread(target=cancel).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        channel.run(Command(line=f"echo here; {NAP}"), sink=lambda *_: begun.set())
    assert time.monotonic() - started < 30
    assert processes_with(NAP) == []


def test_nothing_is_left(channel: LocalChannel, tree: Path) -> None:
    """Mounts of a command and what it leaves running are gone when it ends; the tree holds no device of ours."""
    assert channel.run(Command(line=f"mount -t tmpfs x /tmp; {NAP} > /dev/null 2>&1 &")).ok
    assert str(tree) not in Path("/proc/self/mounts").read_text()
    assert processes_with(NAP) == []
    assert list((tree / "dev").iterdir()) == []


def test_run_folder_lasts(channel: LocalChannel, tree: Path) -> None:
    """What is written to /run is there for the next command, but not in the tree."""
    channel.run(Command(line="echo 1 > /run/flag"))
    assert channel.run(Command(line="cat /run/flag")).stdout == "1\n"
    assert list((tree / "run").iterdir()) == []


def test_links_do_not_lead_out(channel: LocalChannel, tree: Path, tmp_path: Path) -> None:
    """An absolute link in the tree is followed inside of it, not on the host."""
    (tmp_path / "x").write_text("new")
    inside = tree / tmp_path.relative_to("/")
    inside.mkdir(parents=True)
    (tree / "leave").symlink_to(tmp_path)
    channel.put(tmp_path / "x", PurePosixPath("/leave/y"))
    assert (inside / "y").read_text() == "new"
    assert not (tmp_path / "y").exists()


def test_trees(channel: LocalChannel, tmp_path: Path) -> None:
    """A folder comes back with modes, links and odd names."""
    source = tmp_path / "site"
    (source / "sub/empty").mkdir(parents=True)
    (source / "sub/run me").write_text("#!/bin/sh\n")
    (source / "sub/run me").chmod(0o750)
    (source / "link").symlink_to("sub/run me")
    channel.put_tree(source, PurePosixPath("/srv/www"))
    channel.get_tree(PurePosixPath("/srv/www"), tmp_path / "back")
    assert (tmp_path / "back/sub/empty").is_dir()
    assert (tmp_path / "back/sub/run me").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "back/link").readlink() == Path("sub/run me")
    with pytest.raises(CommunicatorError, match="download folder"):
        channel.get_tree(PurePosixPath("/no/such"), tmp_path / "none")


def test_not_a_tree(run: TestRun, tmp_path: Path) -> None:
    """A machine without a tree is refused with what to do."""
    machine = Machine(id="x", endpoint=Endpoint(path=tmp_path / "none"), communicator=Local())
    with pytest.raises(CommunicatorError, match="no tree"):
        Local().load().connect(run, machine)
