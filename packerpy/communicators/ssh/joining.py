"""Streams that are carried into one another."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from packerpy.communicators.ssh.login import Pipe

_PIECE = 1 << 16


class Joined:
    """Pairs of streams, each carried both ways until both have ended, or until all are hung up."""

    def __init__(self) -> None:
        self._pipes: set[Pipe] = set()
        self._lock = threading.Lock()

    def join(self, ours: Pipe, theirs: Pipe) -> None:
        """Carry both ways until both have ended."""
        with self._lock:
            self._pipes |= {ours, theirs}
        back = threading.Thread(target=_copy, args=(theirs, ours), daemon=True)
        back.start()
        _copy(ours, theirs)
        back.join()
        for pipe in (ours, theirs):
            hang_up(pipe)
        with self._lock:
            self._pipes -= {ours, theirs}

    def close(self) -> None:
        """Hang up on all of them."""
        with self._lock:
            pipes, self._pipes = self._pipes, set()
        for pipe in pipes:
            hang_up(pipe)


def stop_listening(server: socket.socket) -> None:
    """Close it, and wake the thread that accepts."""
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)
    server.close()


def hang_up(pipe: Pipe) -> None:
    """End a stream, whatever state it is in."""
    with suppress(OSError, EOFError):
        pipe.shutdown(socket.SHUT_RDWR)
    with suppress(OSError, EOFError):
        pipe.close()


def _copy(source: Pipe, target: Pipe) -> None:
    with suppress(OSError, EOFError):
        while data := source.recv(_PIECE):
            target.sendall(data)
    with suppress(OSError, EOFError):
        target.shutdown(socket.SHUT_WR)
