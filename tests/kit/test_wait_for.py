"""Waiting for a server behind a network that lies, as QEMU's user-mode network does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from packerpy.execute.cancellation import CancelToken
from packerpy.kit.wait_for import BannerWait


@contextmanager
def server(handle: Callable[[socket.socket, int], None]) -> Iterator[tuple[int, list[socket.socket]]]:
    """Something on a port that does with each connection what it is told; answers its port and all connections."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                handle(connection, len(held))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], held
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in held:
        connection.close()


def speak(connection: socket.socket, text: bytes) -> None:
    """Say something, unless the other side has hung up."""
    with suppress(OSError):
        connection.sendall(text)


def wait(port: int, timeout: float = 20) -> tuple[float, bytes]:
    """How long it took, and what can be read."""
    started = time.monotonic()
    sock = BannerWait("127.0.0.1", port, cancellation=CancelToken()).wait(timeout)
    with sock:
        return time.monotonic() - started, sock.recv(100)


def test_connections_into_the_void_are_overtaken_sparingly() -> None:
    """Silent connections are followed by others, but few: QEMU would deliver all of them to the guest later."""
    up_at = time.monotonic() + 2.0

    def handle(connection: socket.socket, number: int) -> None:
        if time.monotonic() >= up_at:
            connection.sendall(b"SSH-2.0-test\r\n")

    with server(handle) as (port, held):
        wait(port)
        assert time.monotonic() - up_at < 1.6, "1 s, and what a busy machine needs"
        assert len(held) <= 5, "one a second"


def test_the_banner_is_left_for_the_library() -> None:
    """It was only looked at."""
    with server(lambda connection, number: connection.sendall(b"SSH-2.0-test\r\n")) as (port, _):
        assert wait(port)[1] == b"SSH-2.0-test\r\n"


def test_connections_closed_at_once_are_tried_again() -> None:
    """That is how a guest without a server looks; when it has one, it is noticed, and not swamped meanwhile."""
    up_at = time.monotonic() + 1.0

    def handle(connection: socket.socket, number: int) -> None:
        if time.monotonic() >= up_at:
            connection.sendall(b"SSH-2.0-test\r\n")
        else:
            connection.close()

    with server(handle) as (port, held):
        wait(port)
        assert time.monotonic() - up_at < 1.0
        assert len(held) <= 12


def test_a_slow_server_gets_its_time() -> None:
    """A server that speaks 3 s after a connection is waited for, and never has more than a few connections open."""
    open_at_once: list[int] = []

    with server(lambda connection, number: None) as (port, held):
        done = threading.Event()

        def tick() -> None:
            seen = 0
            while not done.wait(0.05):
                alive = 0
                for connection in list(held):
                    try:
                        alive += connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
                    except BlockingIOError:
                        alive += 1
                    except OSError:
                        pass
                open_at_once.append(alive)
                for connection in held[seen:]:
                    threading.Timer(3.0, speak, [connection, b"SSH-2.0-slow\r\n"]).start()
                seen = len(held)

        watcher = threading.Thread(target=tick)
        watcher.start()
        took, _ = wait(port)
        done.set()
        watcher.join()
    assert took < 5
    assert max(open_at_once) <= 4, "one a second"


def test_a_banner_in_two_pieces() -> None:
    """The first bytes alone decide nothing."""

    def handle(connection: socket.socket, number: int) -> None:
        connection.sendall(b"SS")
        threading.Timer(0.1, speak, [connection, b"H-2.0-test\r\n"]).start()

    with server(handle) as (port, _):
        assert wait(port)[1] == b"SSH-2.0-test\r\n"
