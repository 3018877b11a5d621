"""Programs of the host: started so that they die with us, stopped at once on a cancel.

A child is tied to this process by the kernel's parent-death signal. That signal is sent when the *thread* that made the
child ends, so every child is made by one thread that lives as long as the process.
"""

from __future__ import annotations

import codecs
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import attrs

from packerpy.contracts import Cancellation, OutputSink
from packerpy.errors import BuildError, PluginError

_LAST = 40
"""How many of the last lines of a failed program's output an error shows."""

_LOOK = 2.0
"""Seconds from look to look whether a program whose output goes on was killed meanwhile."""

_spawner: ThreadPoolExecutor | None = None
_spawner_lock = threading.Lock()
_running: set[subprocess.Popen[bytes]] = set()


def _in_spawner(call: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    global _spawner  # noqa: PLW0603  one thread for the life of the process; see the module's text
    with _spawner_lock:
        if _spawner is None:
            _spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="packerpy-spawner")
        future: Future[subprocess.Popen[bytes]] = _spawner.submit(call)
    return future.result()


def _forget_spawner() -> None:
    """A fork has no thread but the one that forked."""
    global _spawner, _spawner_lock
    _spawner, _spawner_lock = None, threading.Lock()
    _running.clear()


os.register_at_fork(after_in_child=_forget_spawner)


def find_tool(name: str, *, package: str, needed_for: str = "") -> str:
    """The path of a host program.

    :raises PluginError: it is not there; says which package has it.
    """
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        purpose = f", needed for {needed_for}" if needed_for else ""
        raise PluginError(
            f"the program {name!r} is not installed{purpose}",
            resolution=f"install it with `apt-get install {package}`, or run `packerpy doctor --install`",
        )
    return path


_ORPHANED = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'
"""Who dies before the kernel was asked is not told of by any signal: so we look whether our parent is still there."""


def tied(argv: Sequence[str | Path], *, parent: int | None = None) -> list[str]:
    """``argv`` prefixed so that the kernel kills the program when this process dies, in whatever way.

    :param parent: the pid that will be its parent; by default ours.
    """
    setpriv = find_tool("setpriv", package="util-linux", needed_for="tying child processes to packerpy")
    checked = ["/bin/sh", "-c", _ORPHANED, str(parent or os.getpid())]
    return [setpriv, "--pdeathsig", "KILL", "--", *checked, *(str(part) for part in argv)]


def spawn(
    argv: Sequence[str | Path],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    tie: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, tied to this process; the caller ends it with :func:`stop`.

    :param tie: ``False`` lets it live on when this process dies; the journal must know how to find it.
    :param env: the whole environment; ours when ``None``.
    :raises PluginError: it cannot be started.
    """
    command = tied(argv) if tie else [str(part) for part in argv]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )

    try:
        process = _in_spawner(start)
    except OSError as error:
        raise PluginError(f"cannot start {argv[0]}", details=str(error)) from error
    _running.add(process)
    return process


def stop(process: subprocess.Popen[bytes], *, grace: float = 0.0) -> None:
    """End a spawned program with all that it started: politely if ``grace`` seconds are given, then by force."""
    if process.poll() is None and grace > 0:
        _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
    _kill(process)
    process.wait()
    _running.discard(process)


def kill_all() -> None:
    """Kill every program that was spawned and still runs; for the second Ctrl-C."""
    for process in list(_running):
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program's session, and those of its descendants that made sessions of their own."""
    strays: set[int] = set()
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGSTOP)  # who stands still makes no more
        while found := _descendants(process.pid) - strays:
            strays |= found
            for pid in found:
                _signal(pid, signal.SIGSTOP)
    _signal_group(process.pid, signal.SIGKILL)
    for pid in strays:
        _signal(pid, signal.SIGKILL)


def _descendants(pid: int) -> set[int]:
    """Processes that a process started, those that these started, and so on."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        children: list[int] = []
        for listed in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children += map(int, listed.read_text().split())
            except OSError:  # it has just ended
                continue
        waiting += children
        found.update(children)
    return found


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


@attrs.frozen(kw_only=True)
class Output:
    """What a program that ended well printed."""

    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.stdout.decode(errors="replace").rstrip("\n")


def call(
    argv: Sequence[str | Path],
    *,
    cancellation: Cancellation | None = None,
    sink: OutputSink | None = None,
    input: bytes | None = None,  # noqa: A002  the standard library's own name for it
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    ok: Sequence[int] = (0,),
    error: type[BuildError] = BuildError,
    label: str | None = None,
) -> Output:
    """Run a program to its end and answer its output.

    :param cancellation: on a cancel the program is killed and ``CancelledError`` raised.
    :param sink: gets standard output and error as they come.
    :param timeout: seconds after which it is killed, with all that it started, and ``error`` raised.
    :param ok: exit codes that are not an error.
    :param error: the class raised when it ends in another way.
    :param label: what errors call it, in place of the command line (which may be long).
    """
    process = spawn(
        argv,
        stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=cwd,
    )
    try:
        with _killed_on(cancellation, process), _killed_after(timeout, process) as late:
            collected = _pump(process, input, sink, lambda: late.is_set() or _requested(cancellation))
            code = process.wait()
        if cancellation is not None:
            cancellation.check()
    finally:
        stop(process)
        if process.stdin is not None:
            process.stdin.close()
    if late.is_set():
        raise error(f"{label or argv[0]} did not end within {timeout:g} s and was killed")
    stdout, stderr = b"".join(collected["stdout"]), b"".join(collected["stderr"]).decode(errors="replace")
    if code not in ok:
        raise error(
            _failed(label or " ".join(map(str, argv)), code),
            details=last_lines(stderr or stdout.decode(errors="replace")),
        )
    return Output(stdout=stdout, stderr=stderr)


def _failed(label: str, code: int) -> str:
    if code < 0:
        return f"{label} was ended by signal {signal.Signals(-code).name}"
    return f"{label} failed with exit code {code}"


def last_lines(text: str, count: int = _LAST) -> str:
    """The last ``count`` lines of a text."""
    return "\n".join(text.rstrip("\n").splitlines()[-count:])


@contextmanager
def _killed_on(cancellation: Cancellation | None, process: subprocess.Popen[bytes]) -> Iterator[None]:
    if cancellation is None:
        yield
        return
    with cancellation.calling(lambda: _kill(process)):
        yield


@contextmanager
def _killed_after(timeout: float | None, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Answers an event that is set when the time was up."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(timeout, kill) if timeout is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer is not None:
            timer.cancel()


def _requested(cancellation: Cancellation | None) -> bool:
    return cancellation is not None and cancellation.requested


def _pump(
    process: subprocess.Popen[bytes], data: bytes | None, sink: OutputSink | None, killed: Callable[[], bool]
) -> dict[str, list[bytes]]:
    """Feed and drain all pipes at once; answers the chunks of each stream.

    :param killed: whether the program was killed; then who still holds its pipes open is not waited for.
    """
    chunks: dict[str, list[bytes]] = {"stdout": [], "stderr": []}

    def drain(name: str, pipe: Any) -> None:
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        with pipe:
            while chunk := pipe.read1(65536):
                chunks[name].append(chunk)
                if sink is not None and (text := decode(chunk)):
                    sink(name, text)
            if sink is not None and (text := decode(b"", final=True)):
                sink(name, text)

    readers = [
        threading.Thread(target=drain, args=(name, pipe), daemon=True)
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr))
    ]
    for reader in readers:
        reader.start()
    if data is not None and process.stdin is not None:
        try:
            process.stdin.write(data)
            process.stdin.close()
        except BrokenPipeError:
            pass
    for reader in readers:
        reader.join(_LOOK)
        while reader.is_alive() and not (killed() and process.poll() is not None):
            reader.join(_LOOK)
    return chunks
