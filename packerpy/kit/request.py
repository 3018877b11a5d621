"""One request to a web server, in as many attempts as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from packerpy.contracts import Run
from packerpy.errors import DataError

_ATTEMPTS = 4
_FIRST_PAUSE = 0.5
"""Seconds before the second attempt; doubled each time."""
_LARGEST = 16 * 2**20
"""Bytes; what is larger is a file to download, not a value."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be different the next time."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent twice without doing a thing twice."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a server answered.

    :ivar status: its code.
    :ivar headers: by lower-case name.
    :ivar body: all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


class _TryAgainError(Exception):
    """An attempt failed in a way that the next one may not."""


def ask(
    run: Run,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    expect: Sequence[int],
    timeout: float,
    label: str,
) -> Answer:
    """Send a request; proxies are those of the environment.

    :param expect: codes that are not an error.
    :param timeout: seconds for each attempt.
    :param label: what errors call the request; the address itself may hold a secret.
    :raises DataError: it could not be had, or has another code.
    """
    pause = _FIRST_PAUSE
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _attempt(run, method, url, headers=headers, body=body, expect=expect, timeout=timeout, label=label)
        except _TryAgainError as error:
            run.cancellation.check()
            if attempt == _ATTEMPTS or method not in _SAFE:
                raise DataError(
                    f"{label} failed" + (f" after {attempt} attempts" if attempt > 1 else ""),
                    details=str(error),
                    resolution="check the address and the network (http_proxy and https_proxy are honoured)",
                ) from error
            run.say(f"{label}: {error}; trying again")
        run.wait(pause)
        pause *= 2
    raise AssertionError("the last attempt answers or raises")


def _attempt(
    run: Run,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    expect: Sequence[int],
    timeout: float,
    label: str,
) -> Answer:
    import httpx

    from packerpy.kit.fetch import interruptible

    try:
        with (
            interruptible(run) as trace,
            httpx.Client(timeout=timeout, follow_redirects=True) as client,
            client.stream(method, url, headers=dict(headers), content=body, extensions={"trace": trace}) as response,
        ):
            content = _content(run, response.iter_bytes(), label)
            status = response.status_code
            if status in _AGAIN and status not in expect:
                raise _TryAgainError(f"the server answered {status}")
            if status not in expect:
                shown = content[:300].decode(errors="replace").strip()
                raise DataError(
                    f"{label}: the server answered {status} {response.reason_phrase}",
                    details=shown or None,
                    resolution=f"wanted {' or '.join(map(str, expect))}; check the address, or declare expect=",
                )
            return Answer(status=status, headers=dict(response.headers.items()), body=content)
    except httpx.TransportError as error:
        run.cancellation.check()
        raise _TryAgainError(str(error) or type(error).__name__) from None  # its own chain may show the address
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DataError(f"{label} failed: {type(error).__name__}") from None


def _content(run: Run, chunks: Iterable[bytes], label: str) -> bytes:
    content = bytearray()
    for chunk in chunks:
        run.cancellation.check()
        content += chunk
        if len(content) > _LARGEST:
            raise DataError(
                f"{label}: the answer is larger than {_LARGEST >> 20} MiB", resolution="download it instead"
            )
    return bytes(content)
