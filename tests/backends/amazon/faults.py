"""Every request of a piece of work fails in turn, or the process dies after it; then there must be nothing left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from packerpy.artifacts.database import Database
from packerpy.artifacts.journal import Journal, step_of
from packerpy.backends.amazon import api
from packerpy.errors import PackerpyError
from packerpy.execute.clean import clean
from packerpy.execute.looking import looking_run
from packerpy.testing import TestRun, make_run
from tests.backends.amazon.cloud import Moto

Fault = Literal["none", "throttle", "refuse", "kill"]
Work = Callable[[TestRun], object]


class _Body:
    """What the library reads of an answer that nobody sent."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def stream(self, *_: object, **__: object) -> Any:
        yield self._text
        self._text = b""

    def read(self, *_: object, **__: object) -> bytes:
        text, self._text = self._text, b""
        return text


@attrs.define
class Faults:
    """Sits between the library and the wire.

    :ivar at: number of the request that is hit, from 0.
    :ivar seen: operations so far: ``ec2.RunInstances``.
    :ivar refusals: operation → code that it is always refused with.
    :ivar refused_with: only requests with this text in them are.
    :ivar look: is shown every request.
    """

    fault: Fault = "none"
    at: int = -1
    seen: list[str] = attrs.field(factory=list)
    refusals: dict[str, str] = attrs.field(factory=dict)
    refused_with: str = ""
    look: Callable[[Any], object] = lambda _: None
    _again: bool = False

    def reset(self, fault: Fault, at: int) -> None:
        """Begin to count anew."""
        self.fault, self.at, self.seen, self._again = fault, at, [], False

    def __call__(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        """The library asks before it sends; an answer from here is taken in place of one from the wire."""
        operation = event_name.removeprefix("before-send.")
        self.look(request)
        if self.fault == "throttle":
            self._again = not self._again
            if not self._again:
                self.seen.append(operation)
                return None
            return _answer(operation.partition(".")[0], request.url, *_code("throttle", operation))
        if (refused := self.refusals.get(operation)) is not None and self.refused_with in str(request.body):
            self.seen.append(operation)
            return _answer(operation.partition(".")[0], request.url, 400, refused)
        number = len(self.seen)
        self.seen.append(operation)
        if number != self.at or self.fault == "none":
            return None
        if self.fault == "kill":
            URLLib3Session().send(request)
            os.kill(os.getpid(), signal.SIGKILL)
        return _answer(operation.partition(".")[0], request.url, *_code(self.fault, operation))


def _code(fault: str, operation: str) -> tuple[int, str]:
    if fault == "throttle":
        return (503, "RequestLimitExceeded") if operation.startswith("ec2.") else (429, "ThrottlingException")
    return (403, "UnauthorizedOperation" if operation.startswith("ec2.") else "AccessDenied")


def _answer(service: str, url: str, status: int, code: str) -> AWSResponse:
    if service == "ec2":
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>as told</Message></Error></Errors></Response>"
    elif service in ("sts", "iam"):
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>as told</Message></Error></ErrorResponse>"
    elif service == "s3":
        text = f"<Error><Code>{code}</Code><Message>as told</Message></Error>"
    else:
        text = f'{{"__type": "{code}", "message": "as told"}}'
    headers = {"content-type": "application/json" if text.startswith("{") else "text/xml", "x-amzn-errortype": code}
    return AWSResponse(url, status, headers, _Body(text.encode()))


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Between the library and the wire, for every client that is made from now on; pauses of the library are short."""
    controller = Faults()
    make = api.new_session

    def new_session(*arguments: Any) -> Any:
        session = make(*arguments)
        session.events.register("before-send", controller)
        return session

    monkeypatch.setattr(api, "new_session", new_session)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    api.forget_clients()
    return controller


def through_all_faults(
    moto: Moto, faults: Faults, folder: Path, work: Work, remove: Callable[[object], None], behind: str = ""
) -> dict[str, list[str]]:
    """Do the work without a fault; with every request throttled once; refused, and killed after, each request in turn.

    :param work: does it with a run, and answers what it made.
    :param remove: takes away what it made, by other means.
    :param behind: only requests that come after the first one of this operation are refused, or the last ones; those
        before are the same as in another piece of work, whose test has them.
    :returns: for each fault the operations that were hit.
    """
    before = moto.inventory()
    faults.reset("none", -1)
    remove(_attempt(work, folder / "whole"))
    operations = list(faults.seen)
    assert moto.inventory() == before
    faults.reset("throttle", -1)
    remove(_attempt(work, folder / "throttled"))
    assert moto.inventory() == before
    hit: dict[str, list[str]] = {"throttle": list(faults.seen), "refuse": [], "kill": []}
    first = operations.index(behind) + 1 if behind else 0
    for number, operation in enumerate(operations[first:], first):
        for fault in ("refuse", "kill"):
            place = folder / f"{fault}-{number}"
            faults.reset(fault, number)  # type: ignore[arg-type]
            _with_fault(fault, work, place, remove, operation)
            faults.reset("none", -1)
            cleaned(place)
            assert moto.inventory() == before, f"{fault} at request {number}, {operation}"
            hit[fault].append(operation)
    return hit


def _with_fault(fault: str, work: Work, place: Path, remove: Callable[[object], None], operation: str) -> None:
    if fault == "kill":
        in_child(work, place)
        return
    try:
        made = _attempt(work, place)
    except PackerpyError as error:
        assert "as told" in str(error), f"{operation}: another error than the one told: {error}"  # noqa: PT017
    else:
        remove(made)


def _attempt(work: Work, folder: Path) -> object:
    folder.mkdir(parents=True)
    run = make_run(folder)
    failed = True
    try:
        made = work(run)
        failed = False
    finally:
        run.close(failed=failed)
        run.journal.end(run.id)
        run.database.close()
    return made


def in_child(work: Work, place: Path) -> None:
    """In a process of its own, which is killed by the fault."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            # The parent's connections stay the parent's.
            for client in api._clients._made.values():
                client._endpoint.http_session.close()
            _attempt(work, place)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"the child ended by itself: {status}"


def cleaned(place: Path) -> None:
    """As `packerpy clean` does.

    What a run kept before it died was handed over: it is the work's result, and taken away by its own step.
    """
    database = Database(place / "state.db")
    journal = Journal(database)
    kept = [entry for entry in journal.entries() if entry.state == "kept"]
    run = looking_run("none", "test", journal, place)
    left = clean(cache=place)
    errors = [f"{item.title}: {item.error}" for item in left if item.error]
    assert errors == [], errors
    for entry in kept:
        step = step_of(entry)
        found = step.find(run)
        if found is not None:
            step.undo(run, found)
    database.close()
