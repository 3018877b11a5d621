"""The transfer itself: one file over HTTP, in as many attempts as it takes. The only importer of httpx."""

from __future__ import annotations

import netrc
import os
import socket
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from packerpy.contracts import Run
from packerpy.errors import BuildError
from packerpy.kit import checksum as checksums
from packerpy.kit.download import Place, shown, stamp
from packerpy.kit.publish import sync_folder

_ATTEMPTS = 5
"""Attempts in a row that bring nothing new before giving up; one that brought bytes starts the count again."""
_FIRST_PAUSE = 0.5
"""Seconds before the second attempt; doubled each time."""
_LONGEST_PAUSE = 30.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Seconds without a byte after which a connection counts as dead."""
_PROGRESS_EVERY = 0.2
"""Seconds between two reports."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may be different the next time."""


class _TryAgainError(Exception):
    """An attempt failed in a way that the next one may not."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


@attrs.define
class _Transfer:
    run: Run
    url: str
    place: Place
    wanted: checksums.Wanted | None
    address: str
    login: httpx.Auth | None = attrs.field(repr=False)
    resumed: bool = False

    def size(self) -> int:
        return self.place.part.stat().st_size if self.place.part.exists() else 0

    def drop_part(self) -> None:
        self.place.part.unlink(missing_ok=True)


def fetch(run: Run, url: str, place: Place, wanted: checksums.Wanted | None) -> None:
    """Make ``place.file`` what is at ``url`` now.

    :raises BuildError: it cannot be had, or is not what was wanted.
    """
    transfer = _Transfer(run, url, place, wanted, *login_of(run, url))
    _until_whole(transfer)
    if wanted is not None and place.part.exists():
        seen = checksums.digest(place.part, wanted.algorithm, run.cancellation)
        if seen != wanted.digest and transfer.resumed:
            run.say("the resumed file has a wrong checksum; fetching all of it again")
            transfer.drop_part()
            transfer.resumed = False
            _until_whole(transfer)
            seen = checksums.digest(place.part, wanted.algorithm, run.cancellation)
        if seen != wanted.digest:
            transfer.drop_part()
            raise checksums.mismatch(shown(url), wanted, seen)
    _finish(transfer)


def _finish(transfer: _Transfer) -> None:
    place = transfer.place
    if not place.part.exists():
        return  # the server said that the cached file is the current one
    with place.part.open("rb+") as stream:
        os.fsync(stream.fileno())
    place.part.replace(place.file)
    sync_folder(place.folder)
    if transfer.wanted is not None:
        place.note(checked=stamp(place.file))
    else:
        about = {key: value for key, value in place.read_about().items() if key in ("etag", "last_modified")}
        place.note(**about, checked=stamp(place.file))


def _until_whole(transfer: _Transfer) -> None:
    failures, pause = 0, _FIRST_PAUSE
    while True:
        before = transfer.size()
        try:
            _attempt(transfer)
        except (_TryAgainError, httpx.TransportError) as error:
            transfer.run.cancellation.check()
            if transfer.size() > before:
                failures, pause = 0, _FIRST_PAUSE
            failures += 1
            why = str(error) or type(error).__name__
            if failures >= _ATTEMPTS:
                raise _gave_up(transfer.url, why, failures) from error
            asked = error.pause if isinstance(error, _TryAgainError) else None
            transfer.run.say(f"download broke off ({why}); trying again")
            transfer.run.wait(min(asked if asked is not None else pause, _LONGEST_PAUSE))
            pause *= 2
        except httpx.HTTPError as error:
            raise _gave_up(transfer.url, str(error), 1) from error
        else:
            return


def _gave_up(url: str, why: str, attempts: int) -> BuildError:
    times = f" after {attempts} attempts" if attempts > 1 else ""
    return BuildError(
        f"cannot download {shown(url)}{times}",
        details=why,
        resolution="check the address and the network (http_proxy and https_proxy are honoured)",
    )


def _attempt(transfer: _Transfer) -> None:
    run, have = transfer.run, transfer.size()
    run.cancellation.check()
    with (
        interruptible(run) as trace,
        httpx.Client(timeout=_TIMEOUT, follow_redirects=True, auth=transfer.login) as client,
    ):
        request = client.build_request(
            "GET", transfer.address, headers=_headers(transfer, have), extensions={"trace": trace}
        )
        response = client.send(request, stream=True)
        try:
            start = _start(transfer, response, have)
            if start is not None:
                _receive(transfer, response, start)
        finally:
            response.close()


def login_of(run: Run, url: str) -> tuple[str, httpx.Auth | None]:
    """An address without the name and password in it, and what logs in there: those, else the user's netrc file.

    What is in S3 is asked for with Amazon's credentials of the environment.

    The address alone goes to the library, which writes it to Python's log as it is. It sends the login to no other host
    that the server may lead to.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "s3":
        from packerpy.kit.s3 import locate  # few need the library behind it

        return locate(url)
    if "@" in parts.netloc:
        name, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), httpx.BasicAuth(name, password)
    named = os.environ.get("NETRC")
    path = Path(named or "~/.netrc").expanduser()
    try:
        return url, httpx.NetRCAuth(named and str(path)) if path.is_file() else None
    except netrc.NetrcParseError as error:
        # What stands in a line that cannot be read may be a password; only complaints about the whole file are shown.
        why = f"line {error.lineno} cannot be understood" if error.lineno else error.msg
    except OSError as error:
        why = str(error.strerror)
    run.say(f"the netrc file {path} is not used: {why}")
    return url, None


def _headers(transfer: _Transfer, have: int) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": "packerpy"}
    about = transfer.place.read_about()
    validator = about.get("etag") or about.get("last_modified")
    if transfer.wanted is not None and about.get("url") != shown(transfer.url):
        validator = None  # another mirror began; its names of versions mean nothing here, the checksum decides
    if have and (validator or transfer.wanted is not None):
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    elif (
        transfer.wanted is None and transfer.place.file.exists() and about.get("checked") == stamp(transfer.place.file)
    ):
        if about.get("etag"):
            headers["If-None-Match"] = about["etag"]
        elif about.get("last_modified"):
            headers["If-Modified-Since"] = about["last_modified"]
    return headers


def _start(transfer: _Transfer, response: httpx.Response, have: int) -> int | None:
    """From which byte on the answer's body counts; ``None`` when there is nothing to receive."""
    status = response.status_code
    if status == httpx.codes.PARTIAL_CONTENT and response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        if _is_another(response):
            return _after_bad_range(transfer, response, have)
        transfer.resumed = True
        return have
    if status == httpx.codes.OK:
        transfer.drop_part()
        etag = response.headers.get("ETag", "")
        strong = etag if etag and not etag.startswith("W/") else None
        modified = response.headers.get("Last-Modified")
        transfer.place.note(etag=strong, last_modified=modified, url=shown(transfer.url))
        return 0
    if status == httpx.codes.NOT_MODIFIED and transfer.place.file.exists():
        return None
    if status in (httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE, httpx.codes.PARTIAL_CONTENT):
        return _after_bad_range(transfer, response, have)
    if status in _AGAIN:
        after = response.headers.get("Retry-After", "")
        raise _TryAgainError(f"the server answered {status}", float(after) if after.isdecimal() else None)
    raise BuildError(
        f"cannot download {shown(transfer.url)}",
        details=f"the server answered {status} {response.reason_phrase}",
        resolution=_advice(transfer.url, status),
    )


def _is_another(response: httpx.Response) -> bool:
    """Whether a server went on with another version of the file, for all that it was told which one we have."""
    wanted: str = response.request.headers.get("If-Range", "")
    return wanted.startswith('"') and str(response.headers.get("ETag", wanted)) != wanted


def _advice(url: str, status: int) -> str:
    """What to do about an answer that is final."""
    if status not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "check the address"
    if url.startswith("s3:"):
        return "check the address, and Amazon's credentials (environment variables AWS_…, the files in ~/.aws)"
    return "check the address; a login for its host is taken from the file ~/.netrc, or the one that NETRC names"


def _after_bad_range(transfer: _Transfer, response: httpx.Response, have: int) -> int | None:
    """Our part is whole already (its last byte came before the connection broke), or belongs to another file."""
    if have and response.headers.get("Content-Range", "") == f"bytes */{have}":
        transfer.resumed = True
        return None
    transfer.drop_part()
    raise _TryAgainError("the server cannot go on where we stopped")


def _receive(transfer: _Transfer, response: httpx.Response, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    done, told = start, 0.0
    with transfer.place.part.open("ab" if start else "wb") as stream:
        for chunk in response.iter_raw():
            transfer.run.cancellation.check()
            stream.write(chunk)
            done += len(chunk)
            if (now := time.monotonic()) - told >= _PROGRESS_EVERY:
                told = now
                transfer.run.progress(done, total)
    transfer.run.cancellation.check()
    transfer.run.progress(done, total)
    if total is not None and done < total:
        raise _TryAgainError(f"{done} of {total} bytes came")


@contextmanager
def interruptible(run: Run) -> Iterator[Any]:
    """A trace function for httpx that learns the socket, which a cancel shuts down: that wakes a blocked read."""
    sockets: list[socket.socket] = []

    def trace(event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "proxy.connect_tcp.complete"):
            found = info["return_value"].get_extra_info("socket")
            if found is not None:
                sockets.append(found)
                if run.cancellation.requested:
                    shut()

    def shut() -> None:
        for found in sockets:
            try:
                found.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it was closed a moment ago

    with run.cancellation.calling(shut):
        yield trace
