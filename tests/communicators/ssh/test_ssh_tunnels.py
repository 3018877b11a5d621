"""Tunnels, and the other ways to move files."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.ssh import SSH
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import CommunicatorError, Disconnected
from packerpy.testing import TestRun
from packerpy.values import Command
from tests.communicators.ssh.sshd_server import Sshd, free_port
from tests.communicators.ssh.test_ssh_files import leftovers, listing, make_tree


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything twice."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    while data := client.recv(65536):
                        client.sendall(data * 2)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def ask(port: int, data: bytes) -> bytes:
    """What the server behind a port answers, to its end."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return answer


def await_free(port: int) -> None:
    """The server gives its port back a moment after it was told."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "the port is still taken"
            os.sched_yield()
        else:
            return


def open_tunnel(sshd: Sshd, run: TestRun, **tunnels: list[str]) -> SSHChannel:
    """A channel with tunnels."""
    channel = SSH(timeout=20, **tunnels).load().connect(run, sshd.machine())  # type: ignore[arg-type]
    assert isinstance(channel, SSHChannel)
    return channel


@pytest.mark.parametrize("side", ["local_tunnels", "remote_tunnels"])
def test_a_tunnel(sshd: Sshd, run: TestRun, echo: int, side: str) -> None:
    """Data goes both ways, several connections at once, also after a reconnect; closing the channel frees the port."""
    sshd.start()
    port = free_port()
    channel = open_tunnel(sshd, run, **{side: [f"{port}:localhost:{echo}"]})
    data = os.urandom(300_000)
    assert ask(port, b"once") == b"onceonce"
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(port, data[:1000]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [len(answer) for answer in answers] == [2000] * 3
    sshd.hang_up()
    with pytest.raises(Disconnected):
        channel.run(Command(line="sleep 30"))
    channel.reconnect(20)
    assert ask(port, b"again") == b"againagain"
    channel.close()
    await_free(port)


def test_a_local_port_that_is_taken(sshd: Sshd, run: TestRun) -> None:
    """The error names the tunnel and the port, and nothing stays connected."""
    sshd.start()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommunicatorError, match=f"local tunnel {port}:localhost:1 cannot be opened") as caught:
            open_tunnel(sshd, run, local_tunnels=[f"{port}:localhost:1"])
    assert "already in use" in str(caught.value)


def test_a_port_of_the_machine_that_is_taken(sshd: Sshd, run: TestRun) -> None:
    """Likewise at the machine's side, and where the server forbids it."""
    sshd.start()
    tunnel = f"{sshd.port}:localhost:1"
    with pytest.raises(CommunicatorError, match=f"remote tunnel {tunnel} cannot be opened") as caught:
        open_tunnel(sshd, run, remote_tunnels=[tunnel])
    assert "remote_tunnels=" in str(caught.value)


def test_nothing_at_the_far_end(sshd: Sshd, run: TestRun) -> None:
    """Who connects is hung up on, and the user is told why."""
    sshd.start()
    port, nobody = free_port(), free_port()
    channel = open_tunnel(sshd, run, local_tunnels=[f"{port}:localhost:{nobody}"])
    assert ask(port, b"") == b""
    assert f"the machine cannot connect to localhost:{nobody}" in str(run.events)
    channel.close()


@pytest.fixture(params=["sftp", "scp"])
def moving(request: pytest.FixtureRequest, sshd: Sshd, run: TestRun) -> Iterator[SSHChannel]:
    """A channel that moves files by one of the other ways."""
    sshd.start()
    opened = SSH(timeout=20, file_transfer=request.param).load().connect(run, sshd.machine())
    assert isinstance(opened, SSHChannel)
    yield opened
    opened.close()


def test_a_tree_there_and_back(moving: SSHChannel, sshd: Sshd, tmp_path: Path) -> None:
    """Names, contents, modes and times survive; links as far as the way has them."""
    make_tree(tmp_path / "source")
    (tmp_path / "source" / "with space" / "ünïcode 'x' \n newline").unlink()
    (tmp_path / "source" / os.fsdecode(b"latin\xe4")).unlink()
    scp = moving._spec.file_transfer == "scp"
    for path in (tmp_path / "source").rglob("*"):
        if path.is_symlink() and (scp or not path.exists()):
            path.unlink()  # scp follows them
    (tmp_path / "source" / "hard").unlink()
    moving.put_tree(tmp_path / "source", PurePosixPath(tmp_path / "there" / "deep"))
    assert without_links(tmp_path / "there" / "deep") == without_links(tmp_path / "source")
    moving.get_tree(PurePosixPath(tmp_path / "there" / "deep"), tmp_path / "back")
    assert without_links(tmp_path / "back") == without_links(tmp_path / "source")
    assert leftovers(tmp_path) == []


def without_links(folder: Path) -> dict[str, tuple[object, ...]]:
    """A tree without the times of folders that things were put into later."""
    return {
        name: (mode, content) if content is None else (mode, time, content)
        for name, (mode, _, time, content) in listing(folder).items()
    }


def test_a_connection_that_is_lost(moving: SSHChannel, sshd: Sshd, tmp_path: Path) -> None:
    """It is told apart from a file that cannot be written."""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(2_000_000_000)
    there = Path("/dev/shm") / f"packerpy-{secrets.token_hex(8)}"

    def hang_up() -> None:
        while not any(path.is_file() and path.stat().st_size for path in there.rglob("*")):
            os.sched_yield()
        sshd.hang_up()

    threading.Thread(target=hang_up, daemon=True).start()
    try:
        with pytest.raises(Disconnected):
            moving.put(tmp_path / "big", PurePosixPath(there / "target"))
        assert not (there / "target").exists()
    finally:
        shutil.rmtree(there)


def test_a_name_that_is_not_utf8(sshd: Sshd, run: TestRun, tmp_path: Path) -> None:
    """The SFTP library cannot send it, and the error says that."""
    sshd.start()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / os.fsdecode(b"latin\xe4")).touch()
    channel = SSH(timeout=20, file_transfer="sftp").load().connect(run, sshd.machine())
    with pytest.raises(CommunicatorError, match="is not UTF-8"):
        channel.put_tree(tmp_path / "source", PurePosixPath(tmp_path / "there"))  # type: ignore[attr-defined]
    channel.close()
    assert leftovers(tmp_path) == []
