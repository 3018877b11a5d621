"""A web server for machines that are being installed: one folder, read only, for as long as a run lasts.

On the host's loopback address, its default, guests in QEMU's user-mode network reach it as 10.0.2.2, and nobody else on
the network does. Other users of this host do not either: the kernel tells whose process is at the other end.
"""

from __future__ import annotations

import difflib
import mimetypes
import os
import posixpath
import shutil
import socket
import sys
import threading
import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import attrs

from packerpy.contracts import Run, Step
from packerpy.errors import SourceError
from packerpy.kit.web_server import LOOPBACK

_CONNECTIONS = Path("/proc/net/tcp")
"""The kernel's table of connections; the second and third word of a line are its ends, the eighth is whose it is."""


class NoPort(SourceError):
    """The server cannot listen where it should."""

    def __init__(self, address: str, ports: tuple[int, int], said: str) -> None:
        first, last = ports
        place = f"port {first}" if first == last else f"any port from {first} to {last}"
        super().__init__(
            f"the web server cannot listen on {place} of {address}",
            details=said,
            resolution="leave port= of the web server out to get a free one, give a wider range, or another address",
        )


class Server:
    """A running server.

    :param folder: what it serves; links in it are followed.
    :param tell: called, from other threads, with a line about each request.
    :param address: of the host, where it listens. On the loopback address only processes of this user are answered.
    :param ports: first and last port tried; by default the kernel chooses a free one.
    :raises NoPort: there is none to be had.
    """

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        *,
        address: str = LOOPBACK,
        ports: tuple[int, int] | None = None,
    ) -> None:
        handler = type("Handler", (_Handler,), {"folder": folder, "tell": staticmethod(tell)})
        self._server = _listen(address, ports, handler)
        self._server.tell = tell
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="packerpy-http", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop; safe to call twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _listen(address: str, ports: tuple[int, int] | None, handler: type[BaseHTTPRequestHandler]) -> _Listening:
    first, last = ports or (0, 0)
    said = ""
    for port in range(first, last + 1):
        try:
            return _Listening((address, port), handler)
        except OSError as error:
            said = error.strerror or str(error)
    raise NoPort(address, (first, last), said)


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    tell: Callable[[str], None]

    def verify_request(self, request: object, client_address: tuple[str, int]) -> bool:
        """On the loopback address, whether the other end is this user's."""
        here = self.server_address[:2]
        if here[0] != LOOPBACK or owner(client_address, here) in (None, os.getuid()):  # type: ignore[arg-type]
            return True
        self.tell("HTTP: refused a connection by a process of another user of this host")
        return False


def owner(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user whose process is at the other end of a connection within this host, -1 if nobody's is.

    ``None`` where the system does not tell.
    """
    ends = [_end(*client), _end(*server)]
    try:
        lines = _CONNECTIONS.read_text().splitlines()
    except OSError:
        return None
    return next((int(words[7]) for words in map(str.split, lines) if words[1:3] == ends), -1)


def _end(host: str, port: int) -> str:
    """As the kernel writes it: ``0100007F:1F90``."""
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"


@attrs.frozen
class Serve(Step[Server]):
    """A server for the rest of the run.

    :ivar folder: what it serves.
    :ivar address: see :class:`Server`; likewise ``ports``.
    """

    folder: Path
    address: str = LOOPBACK
    ports: tuple[int, int] | None = None

    @property
    def title(self) -> str:
        """What is served."""
        return f"HTTP server of {self.folder}"

    def do(self, run: Run) -> Server:
        """Start it."""
        return Server(self.folder, run.say, address=self.address, ports=self.ports)

    def undo(self, run: Run, made: Server) -> None:
        """Stop it."""
        made.close()

    def find(self, run: Run) -> Server | None:
        """It ended with its process."""
        return None


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    tell: Callable[[str], None]
    server_version = "packerpy"
    sys_version = ""

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Tell of a file."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        name = wanted_name(self.path)
        path = self.folder / name
        if name and path.is_file():
            with path.open("rb") as stream:
                self._send_file(path, stream, body=body)
            return
        said = not_found(self.folder, name)
        self._head(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", len(said.encode()))
        if body:
            self.wfile.write(said.encode())

    def _send_file(self, path: Path, stream: BinaryIO, *, body: bool) -> None:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._head(HTTPStatus.OK, kind, path.stat().st_size)
        if body:
            shutil.copyfileobj(stream, self.wfile)

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Each request is told once, with what it was answered."""
        number = code.value if isinstance(code, HTTPStatus) else code
        if number != HTTPStatus.NOT_FOUND:
            self.tell(f"HTTP: {self.command} {self.path}: {number}")
        else:
            self.tell(f"HTTP: {self.command} {self.path}: {not_found(self.folder, wanted_name(self.path)).rstrip()}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Errors of the transport."""
        self.tell("HTTP: " + format % args)


def wanted_name(request: str) -> str:
    """The file that a request line asks for, relative to the folder; it cannot lead out of it."""
    path = urllib.parse.unquote(request.partition("#")[0].partition("?")[0])
    return posixpath.normpath("/" + path).lstrip("/")


def not_found(folder: Path, name: str) -> str:
    """What a client is told that asks for a file that is not there."""
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    if near:
        return f"404: there is no /{name}; did you mean /{near[0]}?\n"
    listed = ", ".join("/" + known for known in there[:20]) or "nothing"
    return f"404: there is no /{name}; there is {listed}\n"
