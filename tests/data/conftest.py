"""A run to read with, and a web server that answers as told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest

from packerpy.testing import TestRun, make_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A real run, ended at the end."""
    run = make_run(tmp_path)
    yield run
    run.close(failed=True)


@attrs.define
class Web:
    """A server of this test.

    :ivar answers: path → what is answered, in turn; the last one stays.
    :ivar asked: method, path, headers and body of every request.
    """

    url: str = ""
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = attrs.Factory(dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = attrs.Factory(list)


@pytest.fixture
def web() -> Iterator[Web]:
    """It listens on a port of its own until the test ends."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            web.asked.append((self.command, self.path, dict(self.headers.items()), body))
            turns = web.answers.get(self.path, [(404, {}, b"nothing here")])
            status, headers, content = turns.pop(0) if len(turns) > 1 else turns[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_HEAD = do_PUT = answer  # noqa: N815  the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Nothing on the test's screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    yield web
    server.shutdown()
    thread.join()
    server.server_close()
