"""Files of checksums, their signatures, and mirrors; with a real web server and real keys."""

import hashlib
import http.server
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest

from packerpy.errors import BuildError
from packerpy.kit import fetch
from packerpy.kit.checksum import Wanted
from packerpy.kit.mirrors import fetch_first
from packerpy.kit.sums import Sums, find_checksum, lines_of, look_up, sums_of
from packerpy.testing import make_run

IMAGE = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(IMAGE).hexdigest()
MD5 = hashlib.md5(IMAGE).hexdigest()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that does not pause long before it tries again."""
    monkeypatch.setattr(fetch, "_FIRST_PAUSE", 0.001)
    made = make_run(tmp_path)
    yield made
    assert made.close(failed=False) == ()


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        (f"{SHA256}  a.iso\n", "sha256"),
        (f"{SHA256} *a.iso\n", "sha256"),
        (f"{SHA256} ?a.iso\n", "sha256"),
        (f"{SHA256.upper()}\ta.iso\r\n", "sha256"),
        (f"{SHA256}  ./images/a.iso\n", "sha256"),
        (f"{SHA256}  /srv/images/a.iso\n", "sha256"),
        (f"SHA256 (a.iso) = {SHA256}\n", "sha256"),
        (f"MD5 (images/a.iso) = {MD5}\n", "md5"),
        (f"{SHA256}\n", "sha256"),
        (f"# a comment\n\n{'0' * 64}  b.iso\n{MD5}  a.iso\n", "md5"),
        (f"{MD5}  a.iso\n{SHA256}  a.iso\n", "sha256"),
        (
            f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{SHA256}  a.iso\n-----BEGIN PGP SIGNATURE-----\n",
            "sha256",
        ),
    ],
)
def test_each_format_is_read(text, algorithm):
    """GNU's and BSD's, text and binary, with paths, with a digest alone, wrapped in a signature; the strongest wins."""
    digest = {"sha256": SHA256, "md5": MD5}[algorithm]
    assert look_up(lines_of(text), "https://example.org/images/a.iso", "SUMS") == Wanted(algorithm, digest)


def test_the_longest_fitting_name_wins():
    """Debian's SHA256SUMS names many images alike."""
    lines = lines_of(f"{SHA256}  ./netboot/mini.iso\n{'1' * 64}  ./netboot/gtk/mini.iso\n")
    assert look_up(lines, "https://example.org/images/netboot/gtk/mini.iso", "SUMS").digest == "1" * 64
    assert look_up(lines, "/images/netboot/mini.iso", "SUMS").digest == SHA256
    with pytest.raises(BuildError, match="several"):
        look_up(lines, "mini.iso", "SUMS")


def test_a_name_that_is_not_there():
    """The error names the file, and the nearest name in it."""
    with pytest.raises(BuildError, match=r"SUMS has no checksum of debian-12\.5\.iso") as caught:
        look_up(lines_of(f"{SHA256}  debian-12.6.iso\n"), "https://example.org/debian-12.5.iso", "SUMS")
    assert "did you mean debian-12.6.iso?" in str(caught.value)


def test_the_short_form():
    """``file:`` and an address, a path, or a file address; everything else is no such file."""
    assert sums_of("file:https://example.org/S") == Sums("https://example.org/S")
    assert sums_of("file:sums/S") == Sums("sums/S")
    assert sums_of("file:///srv/S") == Sums("file:///srv/S")
    assert sums_of("sha256:" + SHA256) is None


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"file": ""}, "file"),
        ({"file": "ftp://example.org/S"}, "file"),
        ({"file": "S", "signature": "S.sign"}, "keyring"),
        ({"file": "S", "keyring": "/nowhere/keys.gpg"}, "keyring"),
    ],
)
def test_each_mistake_is_a_problem(given, where):
    """One mistake, one problem at its place, with a fix."""
    (problem,) = Sums(**given).check()
    assert problem.where == where
    assert problem.fix


class Keys:
    """Two key pairs in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        for name in ("good", "other"):
            self._gpg("--quick-generate-key", f"{name}@example.org", "ed25519", "sign", "never")

    def _gpg(self, *words: str | Path) -> None:
        base = ["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes", "--passphrase", ""]
        subprocess.run([*base, "--pinentry-mode", "loopback", *words], check=True, capture_output=True)

    def export(self, name: str, target: Path, *armor: str) -> Path:
        """Its public key."""
        self._gpg(*armor, "--output", target, "--export", f"{name}@example.org")
        return target

    def sign(self, name: str, path: Path, target: Path, *how: str) -> Path:
        """A signature of a file."""
        self._gpg(*how, "--local-user", f"{name}@example.org", "--output", target, path)
        return target


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Made once; the agent that gpg starts is ended."""
    made = Keys(tmp_path_factory.mktemp("gpg") / "home")
    yield made
    subprocess.run(["gpgconf", "--homedir", made.home, "--kill", "all"], check=False)


@pytest.fixture
def sums(tmp_path):
    """A file of checksums."""
    path = tmp_path / "SHA256SUMS"
    path.write_text(f"{SHA256}  a.iso\n")
    return path


@pytest.mark.parametrize("armor", [(), ("--armor",)])
def test_a_good_signature(run, tmp_path, keys, sums, armor):
    """Detached, armored or not; and keys likewise."""
    ring = keys.export("good", tmp_path / "ring", *armor)
    signature = keys.sign("good", sums, tmp_path / "sums.sign", *armor, "--detach-sign")
    declared = Sums(sums, signature=signature, keyring=ring)
    assert list(declared.check()) == []
    assert find_checksum(run, declared, "a.iso").digest == SHA256


def test_a_signed_text_is_the_only_text_that_counts(run, tmp_path, keys, sums):
    """Of a clear-signed file, lines outside of what was signed are not read."""
    ring = keys.export("good", tmp_path / "ring")
    signed = keys.sign("good", sums, tmp_path / "signed", "--clear-sign")
    signed.write_text(f"{'0' * 64}  b.iso\n" + signed.read_text())
    assert find_checksum(run, Sums(signed, keyring=ring), "a.iso").digest == SHA256
    with pytest.raises(BuildError, match="no checksum"):
        find_checksum(run, Sums(signed, keyring=ring), "b.iso")


def test_bad_signatures(run, tmp_path, keys, sums):
    """By another key, of another text, none at all: each is the same error, with what gpgv said."""
    ring = keys.export("good", tmp_path / "ring")
    by_other = keys.sign("other", sums, tmp_path / "other.sign", "--detach-sign")
    changed = tmp_path / "changed"
    changed.write_text(f"{'0' * 64}  a.iso\n")
    good = keys.sign("good", sums, tmp_path / "good.sign", "--detach-sign")
    for declared in (
        Sums(sums, signature=by_other, keyring=ring),
        Sums(changed, signature=good, keyring=ring),
        Sums(sums, keyring=ring),
    ):
        with pytest.raises(BuildError, match="is not signed by a key of") as caught:
            find_checksum(run, declared, "a.iso")
        assert caught.value.details


class Mirror(http.server.BaseHTTPRequestHandler):
    """Sends the image, or fails, as its path says."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        """``/cut/`` breaks off in the middle, ``/gone/`` is 404, ``/wrong/`` is another file."""
        self.asked.append((self.path, self.headers["Range"]))
        if self.path.startswith("/gone/"):
            self.send_error(404)
            return
        content = IMAGE if not self.path.startswith("/wrong/") else IMAGE[::-1]
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        etag = '"of-' + self.path.split("/")[1] + '"'
        if self.headers.get("If-Range", etag) != etag:
            start = 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", etag)
        self.end_headers()
        end = len(content) // 2 if self.path.startswith("/cut/") else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def mirror():
    """Its address, and what it was asked."""
    asked: list[tuple[str, str | None]] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(type("M", (Mirror,), {"asked": asked})))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_next_mirror_goes_on_with_what_the_last_one_sent(run, mirror):
    """404, then one that always breaks off in the middle, then a good one that is asked for the second half only."""
    url, asked = mirror
    path = fetch_first(run, [f"{url}/gone/a.iso", f"{url}/cut/a.iso", f"{url}/good/a.iso"], f"sha256:{SHA256}")
    assert path.read_bytes() == IMAGE
    assert asked[0] == ("/gone/a.iso", None)
    assert asked[-1] == ("/good/a.iso", f"bytes={len(IMAGE) // 2}-")
    assert "trying the next place" in " ".join(str(event) for event in run.events)


def test_a_mirror_with_another_file_is_passed_over(run, mirror):
    """A wrong checksum is that mirror's fault."""
    url, _ = mirror
    assert fetch_first(run, [f"{url}/wrong/a.iso", f"{url}/good/a.iso"], SHA256).read_bytes() == IMAGE


def test_no_mirror_has_it(run, mirror, tmp_path):
    """All failures are told; a single place tells its own."""
    url, _ = mirror
    with pytest.raises(BuildError, match=r"none of 3 places has a\.iso") as caught:
        fetch_first(run, [f"{url}/gone/a.iso", f"{url}/wrong/a.iso", tmp_path / "a.iso"], SHA256)
    assert "404" in str(caught.value)
    assert "wrong checksum" in str(caught.value)
    assert "there is no file" in str(caught.value)
    with pytest.raises(BuildError, match="cannot download"):
        fetch_first(run, [f"{url}/gone/a.iso"], None)


def test_a_checksum_from_a_file(run, mirror, tmp_path):
    """Looked up by the name of the image, and held against it."""
    url, _ = mirror
    sums = tmp_path / "SUMS"
    sums.write_text(f"{SHA256}  a.iso\n{'0' * 64}  b.iso\n")
    assert fetch_first(run, [f"{url}/good/a.iso"], f"file:{sums}").read_bytes() == IMAGE
    with pytest.raises(BuildError, match="wrong checksum"):
        fetch_first(run, [f"{url}/good/b.iso"], f"file:{sums}")
    with pytest.raises(BuildError, match="no checksum of c"):
        fetch_first(run, [f"{url}/good/c.iso"], Sums(sums))


def test_a_file_of_this_host_is_used_where_it_is(run, tmp_path):
    """By path, with and without a checksum."""
    path = tmp_path / "a.iso"
    path.write_bytes(IMAGE)
    assert fetch_first(run, [path], "none") == path
    assert fetch_first(run, [path], SHA256) == path
    with pytest.raises(BuildError, match="wrong checksum"):
        fetch_first(run, [path], "0" * 64)
