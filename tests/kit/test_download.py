"""Downloads, from a real server that misbehaves on request."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest

from packerpy.errors import BuildError, CancelledError, DeclarationError
from packerpy.events import TaskMessage, TaskProgress
from packerpy.kit import download, fetch
from packerpy.testing import TestRun, make_run

CONTENT = b"".join(number.to_bytes(4, "big") for number in range(300_000))
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@attrs.define
class Behaviour:
    """What the server does; tests change it."""

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    blind: bool = False  # to If-Range
    failures: list[int] = attrs.Factory(list)  # answers to give first
    cuts: list[int] = attrs.Factory(list)  # bytes after which a connection breaks
    hang: threading.Event | None = None  # stop after the first bytes until this is set
    sending: threading.Event = attrs.Factory(threading.Event)
    requests: list[tuple[str, str | None]] = attrs.Factory(list)  # path and Range of each


class Handler(BaseHTTPRequestHandler):
    """Serves the behaviour's content on any path."""

    behaviour: Behaviour

    def do_GET(self) -> None:
        """Serve."""
        b = self.behaviour
        asked = self.headers.get("Range")
        b.requests.append((self.path, asked))
        if b.failures:
            self.send_error(b.failures.pop(0))
            return
        if b.etag and self.headers.get("If-None-Match") == b.etag:
            self.send_response(304)
            self.end_headers()
            return
        start = 0
        if asked and b.ranges and (b.blind or self.headers.get("If-Range", b.etag) == b.etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(b.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(b.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(b.content) - 1}/{len(b.content)}")
        else:
            self.send_response(200)
        if b.etag:
            self.send_header("ETag", b.etag)
        self.send_header("Content-Length", str(len(b.content) - start))
        self.end_headers()
        self._body(b, start)

    def _body(self, b: Behaviour, start: int) -> None:
        if b.hang is not None:
            self.wfile.write(b.content[start : start + 70_000])
            self.wfile.flush()
            b.sending.set()
            b.hang.wait()
            return
        end = start + b.cuts.pop(0) if b.cuts else len(b.content)
        self.wfile.write(b.content[start:end])

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, Behaviour]]:
    """The server's address, and its behaviour."""
    behaviour = Behaviour()
    made = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"behaviour": behaviour}))
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}", behaviour
    if behaviour.hang is not None:
        behaviour.hang.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off in milliseconds."""
    monkeypatch.setattr(fetch, "_FIRST_PAUSE", 0.001)


def test_fetched_once(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A file with a checksum is fetched once, with progress, and found in the cache the next time."""
    url, b = server
    run = make_run(tmp_path)
    first = download.download(run, url + "/a.img", checksum=DIGEST)
    assert first.read_bytes() == CONTENT
    assert [e.done for e in run.events if isinstance(e, TaskProgress)][-1] == len(CONTENT)
    assert download.download(run, url + "/other-name.img", checksum=DIGEST.removeprefix("sha256:")) == first
    assert len(b.requests) == 1


def test_without_checksum_asks_again(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """Without a checksum the server is asked each time and sends the file only when it changed."""
    url, b = server
    run = make_run(tmp_path)
    path = download.download(run, url + "/a")
    changed = path.stat().st_mtime_ns
    assert download.download(run, url + "/a") == path
    assert path.stat().st_mtime_ns == changed
    b.content, b.etag = b"new", '"two"'
    assert download.download(run, url + "/a").read_bytes() == b"new"
    assert len(b.requests) == 3


def test_resumes_after_a_cut(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A connection that breaks twice is gone on with where it broke."""
    url, b = server
    b.cuts = [500_000, 300_000]
    run = make_run(tmp_path)
    assert download.download(run, url + "/a", checksum=DIGEST).read_bytes() == CONTENT
    assert [asked for _, asked in b.requests] == [None, "bytes=500000-", "bytes=800000-"]


@pytest.mark.parametrize("blind", [False, True])
def test_changed_meanwhile_starts_again(tmp_path: Path, server: tuple[str, Behaviour], blind: bool) -> None:
    """A file that changes on the server between two attempts is not glued together of two halves.

    Not even where the server knows no If-Range: what it sends then tells that it is of another version.
    """
    url, b = server
    b.cuts, b.blind = [500_000], blind
    run = make_run(tmp_path)
    original = fetch._attempt

    def attempt(transfer: fetch._Transfer) -> None:
        try:
            original(transfer)
        finally:
            b.etag, b.content = '"two"', CONTENT[::-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "_attempt", attempt)
        assert download.download(run, url + "/a").read_bytes() == CONTENT[::-1]


def test_server_without_ranges(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A server that ignores ranges sends all of it again, and the result is right."""
    url, b = server
    b.ranges, b.cuts, b.etag = False, [400_000], ""
    assert download.download(make_run(tmp_path), url + "/a", checksum=DIGEST).read_bytes() == CONTENT


def test_stale_part_is_fetched_again(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A part that belongs to another file, resumed, gives a wrong checksum; then all is fetched anew, once."""
    url, b = server
    b.etag = ""
    run = make_run(tmp_path)
    place = download.Place(folder=run.cache / "downloads" / DIGEST.replace(":", "-"))
    place.folder.mkdir(parents=True)
    place.part.write_bytes(b"wrong" * 1000)
    assert download.download(run, url + "/a", checksum=DIGEST).read_bytes() == CONTENT
    assert [asked for _, asked in b.requests] == ["bytes=5000-", None]


def test_whole_part_needs_no_transfer(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A part that was whole when the last process died is taken as it is."""
    url, b = server
    run = make_run(tmp_path)
    place = download.Place(folder=run.cache / "downloads" / DIGEST.replace(":", "-"))
    place.folder.mkdir(parents=True)
    place.part.write_bytes(CONTENT)
    assert download.download(run, url + "/a", checksum=DIGEST).read_bytes() == CONTENT
    assert len(b.requests) == 1


def test_wrong_checksum_is_an_error_and_leaves_nothing(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """The error names both checksums; no file is in the cache afterwards."""
    url, _ = server
    run = make_run(tmp_path)
    with pytest.raises(BuildError, match="wrong checksum") as caught:
        download.download(run, url + "/a", checksum="sha256:" + "0" * 64)
    assert DIGEST in str(caught.value)
    assert not [p for p in (run.cache / "downloads").rglob("*") if p.name in ("file", "part")]


def test_not_found_is_final(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """404 is told at once, without further attempts, and without the password of the address."""
    url, b = server
    b.failures = [404]
    with pytest.raises(BuildError, match="cannot download") as caught:
        download.download(make_run(tmp_path), url.replace("//", "//me:pa55@") + "/a")
    assert "404" in str(caught.value)
    assert "pa55" not in str(caught.value)
    assert len(b.requests) == 1


def test_busy_server_is_asked_again(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """503 twice, then the file; five times in a row is an error that tells the attempts."""
    url, b = server
    b.failures = [503, 503]
    run = make_run(tmp_path)
    assert download.download(run, url + "/a").read_bytes() == CONTENT
    assert sum(isinstance(e, TaskMessage) for e in run.events) == 2
    b.failures = [503] * 5
    with pytest.raises(BuildError, match="after 5 attempts"):
        download.download(run, url + "/b")


def test_nobody_listens(tmp_path: Path) -> None:
    """A refused connection is told with what to check."""
    with pytest.raises(BuildError, match="cannot download") as caught:
        download.download(make_run(tmp_path), "http://127.0.0.1:9/a")
    assert caught.value.resolution


def test_cancel_wakes_a_stalled_transfer(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A cancel ends a transfer in which no byte comes, well before any timeout; the part stays for next time."""
    url, b = server
    b.hang = threading.Event()
    run = make_run(tmp_path)

    def cancel() -> None:
        b.sending.wait()
        run.cancellation.request()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(CancelledError):
        download.download(run, url + "/a", checksum=DIGEST)
    thread.join()
    b.hang.set()
    b.hang = None
    assert download.download(make_run(tmp_path), url + "/a", checksum=DIGEST).read_bytes() == CONTENT


def test_damaged_cache_is_noticed(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """A cached file that somebody changed is fetched again."""
    url, b = server
    run = make_run(tmp_path)
    path = download.download(run, url + "/a", checksum=DIGEST)
    path.write_bytes(b"damaged")
    assert download.download(run, url + "/a", checksum=DIGEST).read_bytes() == CONTENT
    assert len(b.requests) == 2


def test_two_at_once_fetch_once(tmp_path: Path, server: tuple[str, Behaviour]) -> None:
    """Four threads that want the same file make one request."""
    url, b = server
    runs = [make_run(tmp_path / str(n)) for n in range(4) if not (tmp_path / str(n)).mkdir()]
    for run in runs:
        run._cache = tmp_path
    threads = [
        threading.Thread(target=download.download, args=(run, url + "/a"), kwargs={"checksum": DIGEST}) for run in runs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(b.requests) == 1


def test_file_address(tmp_path: Path) -> None:
    """A file address is answered as its path, checked if a checksum is given; a missing one is told."""
    path = tmp_path / "a b"
    path.write_bytes(CONTENT)
    run = make_run(tmp_path)
    assert download.download(run, path.as_uri(), checksum=DIGEST) == path
    with pytest.raises(BuildError, match="wrong checksum"):
        download.download(run, path.as_uri(), checksum="0" * 64)
    with pytest.raises(BuildError, match="no file"):
        download.download(run, (tmp_path / "no").as_uri())


@pytest.mark.parametrize("url", ["ftp://x/y", "/plain/path", "file://elsewhere/x"])
def test_other_addresses(tmp_path: Path, url: str) -> None:
    """What cannot be downloaded is a DeclarationError with a way out."""
    with pytest.raises(DeclarationError) as caught:
        download.download(make_run(tmp_path), url)
    assert caught.value.resolution


class Guarded(BaseHTTPRequestHandler):
    """Serves who logs in, after leading them elsewhere if it should; notes what it was told."""

    told: list[str | None]
    elsewhere: str

    def do_GET(self) -> None:
        """Serve."""
        given = self.headers.get("Authorization")
        self.told.append(given)
        if self.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.elsewhere)
        else:
            self.send_response(200 if given == LOGIN else 401)
        self.send_header("Content-Length", "2" if given == LOGIN and not self.elsewhere else "0")
        self.end_headers()
        if given == LOGIN and not self.elsewhere:
            self.wfile.write(b"ok")

    def log_message(self, *_args: object) -> None:
        """Nothing."""


LOGIN = "Basic " + base64.b64encode(b"me:p@ss w\xc3\xb6rd").decode()


@pytest.fixture
def guarded() -> Iterator[tuple[int, type[Guarded]]]:
    """A server that wants a login: its port, and what it does."""
    kind = type("G", (Guarded,), {"told": [], "elsewhere": ""})
    made = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made.server_port, kind
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def netrc_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's, with a login for the loopback address."""
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".netrc"
    path.write_text('machine 127.0.0.1 login me password "p@ss wörd"\n', encoding="utf-8")
    path.chmod(0o600)
    return path


def everything_of(run: TestRun, caplog: pytest.LogCaptureFixture) -> str:
    """All events, all of Python's log, and all that lies in the cache."""
    run.flush()
    files = [path for path in run.cache.rglob("*") if path.is_file()]
    kept = "".join(f"{path}\n{path.read_text(errors='replace')}" for path in files)
    return "\n".join([*map(str, run.events), caplog.text, kept])


def test_a_login_comes_from_the_netrc_file(
    tmp_path: Path,
    guarded: tuple[int, type[Guarded]],
    netrc_file: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also from the one that NETRC names; it shows nowhere, and another server that this one leads to does not get it."""
    caplog.set_level("DEBUG")
    port, kind = guarded
    run = make_run(tmp_path)
    assert download.download(run, f"http://127.0.0.1:{port}/a").read_bytes() == b"ok"
    monkeypatch.setenv("NETRC", str(netrc_file.rename(tmp_path / "logins")))
    assert download.download(run, f"http://127.0.0.1:{port}/b").read_bytes() == b"ok"
    kind.elsewhere = f"http://localhost:{port}/c"
    kind.told.clear()
    with pytest.raises(BuildError):
        download.download(run, f"http://127.0.0.1:{port}/a")
    assert kind.told[0] == LOGIN
    assert set(kind.told[1:]) == {None}
    assert [secret for secret in ("p@ss", LOGIN.split()[1]) if secret in everything_of(run, caplog)] == []


def test_a_login_in_the_address_shows_nowhere(
    tmp_path: Path, guarded: tuple[int, type[Guarded]], netrc_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes before the file's; the library that asks is not told of it in the address, which it logs."""
    caplog.set_level("DEBUG")
    netrc_file.write_text("machine 127.0.0.1 login me password other\n")
    run = make_run(tmp_path)
    path = download.download(run, f"http://me:p%40ss%20w%C3%B6rd@127.0.0.1:{guarded[0]}/a")
    assert path.read_bytes() == b"ok"
    assert [secret for secret in ("p@ss", "p%40ss", LOGIN.split()[1]) if secret in everything_of(run, caplog)] == []


@pytest.mark.parametrize("fault", ["password p@ss wörd", "readable by all"])
def test_a_netrc_file_that_cannot_be_used(
    tmp_path: Path, guarded: tuple[int, type[Guarded]], netrc_file: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Others need no login, so that is only told, without what stands there; who needs one is told where it comes from."""
    if fault.startswith("password"):
        netrc_file.write_text(f"machine 127.0.0.1 login me {fault}\n", encoding="utf-8")
    else:
        netrc_file.chmod(0o644)
    run = make_run(tmp_path)
    with pytest.raises(BuildError, match="401") as caught:
        download.download(run, f"http://127.0.0.1:{guarded[0]}/a")
    assert "netrc" in str(caught.value)
    run.flush()
    (said,) = [event.text for event in run.events if isinstance(event, TaskMessage)]
    assert said.startswith(f"the netrc file {netrc_file} is not used: ")
    assert "wörd" not in everything_of(run, caplog) + said
