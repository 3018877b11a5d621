"""What every channel must keep to; the author of a communicator calls these from a test, with an open channel.

Each function raises ``AssertionError`` with a sentence that says what is wrong. All of them use the channel alone, so
it does not matter where its machine is; commands are for a POSIX shell.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import attrs

from packerpy.contracts import Communicator, SupportsTree
from packerpy.errors import CancelledError, CommunicatorError, PackerpyError
from packerpy.testing.run import TestRun
from packerpy.values import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen(kw_only=True)
class Subject:
    """An open channel, and places to work in.

    :ivar here: an empty folder of this host.
    :ivar there: an empty folder of the machine.
    :ivar modes: whether permission bits arrive.
    """

    channel: Communicator
    run: TestRun
    here: Path
    there: PurePath
    modes: bool = True


def _said(subject: Subject, line: str) -> str:
    done = subject.channel.run(Command(line=line))
    assert done.ok, f"{line} ends with {done}"
    return done.stdout


@contextmanager
def _refused(what: str) -> Iterator[list[str]]:
    """The block must raise one of our errors; yields a list that its text is put into."""
    texts: list[str] = []
    try:
        yield texts
    except PackerpyError as error:
        texts.append(str(error))
    else:
        raise AssertionError(f"{what} is no error")


def exit_codes_and_streams(subject: Subject) -> None:
    """Both streams arrive, apart and whole, with the exit code; a signal counts as in a shell."""
    done = subject.channel.run(Command(line="echo out; echo err >&2; exit 7"))
    assert (done.exit_status, done.stdout, done.stderr) == (7, "out\n", "err\n"), f"it answers {done}"
    assert subject.channel.run(Command(line="true")).exit_status == 0
    assert subject.channel.run(Command(line="nonsense-xyz")).exit_status == 127


def output_reaches_the_sink(subject: Subject) -> None:
    """All of it, in order, as text: a character that was cut in two is whole, what is no UTF-8 is replaced."""
    heard: list[tuple[str, str]] = []
    line = r"echo one; printf '\303'; sleep 0.2; printf '\244\377\n'; echo oops >&2"
    done = subject.channel.run(Command(line=line), sink=lambda stream, text: heard.append((stream, text)))
    assert done.stdout == "one\nä\ufffd\n", f"decoded as {done.stdout!r}"
    for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        assert "".join(piece for name, piece in heard if name == stream) == text, f"the sink heard another {stream}"


def much_output(subject: Subject) -> None:
    """More than any buffer holds."""
    done = subject.channel.run(Command(line="i=0; while [ $i -lt 20000 ]; do echo line $i of many; i=$((i + 1)); done"))
    assert done.stdout.splitlines() == [f"line {number} of many" for number in range(20000)], "output is not whole"


def environment(subject: Subject) -> None:
    """Any value comes through as it is, for one command only; a name that no shell takes is an error."""
    value = "s3cr3t'\"\\n \t$HOME `x` %s é"
    done = subject.channel.run(Command(line='printf %s "$PP_TEST"', env={"PP_TEST": value}))
    assert done.stdout == value, f"{value!r} became {done.stdout!r}"
    assert _said(subject, 'printf %s "$PP_TEST"') == "", "a variable outlives its command"
    with _refused("a variable with a name like `A; rm -rf x`"):
        subject.channel.run(Command(line="true", env={"A; rm -rf x": "1"}))


def standard_input(subject: Subject) -> None:
    """It arrives whole, more of it than any buffer holds; without any the command sees its end at once."""
    data = os.urandom(700_000)
    done = subject.channel.run(Command(line="sha256sum", stdin=data, timeout=120))
    assert done.stdout.split()[0] == hashlib.sha256(data).hexdigest(), "input is not whole"
    assert subject.channel.run(Command(line="cat", timeout=60)).stdout == "", "there is input from somewhere"
    assert subject.channel.run(Command(line="head -c 3 >/dev/null", stdin=b"abcdef")).ok, "the rest may stay unread"


def a_timeout(subject: Subject) -> None:
    """The command is killed with what it started, and the error has its last output."""
    pids = subject.there / "pids"
    with _refused("a command that takes too long") as said:
        subject.channel.run(Command(line=f"echo working; sleep 300 & echo $! >'{pids}'; sleep 300", timeout=2))
    assert "within 2 s" in said[0], f"the error does not tell the limit: {said[0]}"
    assert "working" in said[0], f"the error does not show the last output: {said[0]}"
    _await_end(subject, f"$(cat '{pids}')")


def _await_end(subject: Subject, pid: str) -> None:
    """A kill is carried out a moment after it was ordered; in a process namespace of its own nothing is left at all."""
    gone = f"for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 {pid} 2>/dev/null || exit 0; sleep 0.5; done; exit 1"
    assert subject.channel.run(Command(line=gone)).ok, "what the command started still runs"


def several_threads(subject: Subject) -> None:
    """Many commands at once each get their own output."""

    def work(number: int) -> tuple[int, int, str]:
        done = subject.channel.run(Command(line=f"cat; echo {number}; exit {number}", stdin=b"in%d\n" % number))
        return number, done.exit_status, done.stdout

    with ThreadPoolExecutor(6) as pool:
        for number, code, text in pool.map(work, range(12)):
            assert (code, text) == (number, f"in{number}\n{number}\n"), f"thread {number} got {code}, {text!r}"


def one_file(subject: Subject) -> None:
    """Content and mode arrive over what was there, whatever the name is; missing parent folders are made."""
    source, back = subject.here / "source", subject.here / "back"
    for name in ("-n", "with space", "ünï 'quoted' $x `y`"):
        target = subject.there / "deep folder" / name
        for content in (os.urandom(300_000), b"", b"short"):
            source.write_bytes(content)
            source.chmod(0o640)
            subject.channel.put(source, target)
            subject.channel.get(target, back)
            assert back.read_bytes() == content, f"{len(content)} bytes to {target} came back as others"
    assert "packerpy" not in _said(subject, f"ls -a '{subject.there}/deep folder'"), "a temporary file is left"
    if subject.modes:
        subject.channel.put(source, subject.there / "asked", mode=0o755)
        listed = _said(subject, f"ls -l '{subject.there}/deep folder/-n' '{subject.there}/asked'").splitlines()
        assert {line.split()[0][:10] for line in listed} == {"-rw-r-----", "-rwxr-xr-x"}, f"modes are {listed}"


def files_that_are_none(subject: Subject) -> None:
    """What is missing, or a folder, is an error that names it, on both sides; nothing half is left."""
    channel, here, there = subject.channel, subject.here, subject.there
    (here / "file").write_text("x")
    (here / "folder").mkdir()
    _said(subject, f"mkdir '{there}/folder'")
    calls: dict[str, Callable[[], None]] = {
        "nothing-here": lambda: channel.put(here / "nothing-here", there / "x"),
        "nothing-there": lambda: channel.get(there / "nothing-there", here / "back"),
        "folder": lambda: channel.get(there / "folder", here / "back"),
        "file": lambda: channel.put(here / "file", there / "folder"),
    }
    for name, call in calls.items():
        with _refused(f"moving {name}") as said:
            call()
        assert name in said[0], f"the error does not name {name}: {said[0]}"
    assert not (here / "back").exists(), "a failed download leaves a file"
    left = [path.name for path in here.iterdir() if path.name.startswith(".packerpy")]
    assert not left, f"a failed download leaves {left}"


def a_tree(subject: Subject) -> None:
    """Names and contents come back, empty folders too; what was in the target stays; a missing folder is an error."""
    channel = subject.channel
    if not isinstance(channel, SupportsTree):
        return
    source, target = subject.here / "tree", subject.there / "deep" / "tree"
    (source / "sub" / "empty").mkdir(parents=True)
    for number in range(50):
        (source / "sub" / f"{number} ü.txt").write_text(str(number))
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o750)
    _said(subject, f"mkdir -p '{target}'; echo stays >'{target}/mine'")
    channel.put_tree(source, target)
    channel.get_tree(target, subject.here / "again")
    (source / "mine").write_text("stays\n")
    assert _listing(subject.here / "again") == _listing(source), "the tree came back as another"
    if subject.modes:
        assert (subject.here / "again" / "tool").stat().st_mode & 0o777 == 0o750, "modes are lost"
    with _refused("a folder that is not there"):
        channel.get_tree(subject.there / "nothing-there", subject.here / "none")
    assert not (subject.here / "none").exists(), "a failed download leaves a folder"
    with _refused("a folder that is not here"):
        channel.put_tree(subject.here / "nothing-here", subject.there / "none")


def _listing(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def a_cancel(subject: Subject) -> None:
    """It ends the running command soon, and no other is started."""
    begun = threading.Event()

    def cancel() -> None:
        begun.wait(60)
        subject.run.cancellation.request()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        subject.channel.run(Command(line="echo here; sleep 300"), sink=lambda *_: begun.set())
    except CancelledError:
        pass
    else:
        raise AssertionError("a cancelled command ends as if nothing had been")
    finally:
        begun.set()
        thread.join()
    try:
        subject.channel.run(Command(line="true"))
    except CancelledError:
        return
    raise AssertionError("a command is started after a cancel")


def closing(subject: Subject) -> None:
    """It may be done twice; a closed channel runs nothing."""
    subject.channel.close()
    subject.channel.close()
    try:
        subject.channel.run(Command(line="true"))
    except CommunicatorError:
        return
    raise AssertionError("a closed channel runs commands")


CHANNEL_CHECKS: tuple[Callable[[Subject], None], ...] = (
    exit_codes_and_streams,
    output_reaches_the_sink,
    much_output,
    environment,
    standard_input,
    a_timeout,
    several_threads,
    one_file,
    files_that_are_none,
    a_tree,
    a_cancel,
    closing,
)
"""All of them; each wants a channel and folders of its own."""
