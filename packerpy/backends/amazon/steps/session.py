"""A Session Manager session that carries one port of an instance."""

from __future__ import annotations

import time
from typing import ClassVar

import attrs

from packerpy.backends.amazon.errors import AmazonError, NotFound
from packerpy.backends.amazon.steps.thing import Thing
from packerpy.contracts import Run, Step

_PAUSE = 3.0
"""Seconds between two tries while the instance's agent has not reported to Amazon yet."""


@attrs.frozen(kw_only=True)
class Session:
    """What the data channel is opened with.

    :ivar token: whoever has it can open the channel; a secret.
    """

    id: str
    token: str = attrs.field(repr=False)
    url: str


@attrs.frozen(kw_only=True)
class StartSession(Thing, Step[Session]):
    """Acquires a session.

    :ivar instance: whose port it is.
    :ivar port: the port, as the instance sees it.
    """

    DOCUMENT: ClassVar[str] = "AWS-StartPortForwardingSession"

    instance: str
    port: int

    @property
    def title(self) -> str:
        """Which."""
        return f"session with {self.instance} in {self.region}"

    @property
    def reason(self) -> str:
        """Told Amazon, and found by."""
        return f"packerpy-{self.token}"

    def do(self, run: Run) -> Session:
        """Start it as soon as the instance's agent has reported.

        :raises AmazonError: it has not within ``Access.wait_timeout``, or the session is refused.
        """
        deadline = time.monotonic() + self.access.wait_timeout
        told = False
        while True:
            try:
                answer = self.at(run).call(
                    "ssm.StartSession",
                    Target=self.instance,
                    DocumentName=self.DOCUMENT,
                    Reason=self.reason,
                    Parameters={"portNumber": [str(self.port)]},
                )
            except AmazonError as error:
                if error.code != "TargetNotConnected" or time.monotonic() > deadline:
                    raise
            else:
                run.hide(str(answer["TokenValue"]))
                return Session(id=answer["SessionId"], token=answer["TokenValue"], url=answer["StreamUrl"])
            if not told:
                run.say(f"waiting for the Session Manager agent of {self.instance}")
                told = True
            run.wait(_PAUSE)

    def undo(self, run: Run, made: Session) -> None:
        """End it."""
        try:
            self.at(run).call("ssm.TerminateSession", SessionId=made.id)
        except NotFound:
            pass

    def find(self, run: Run) -> Session | None:
        """By its reason, among the instance's sessions that are open."""
        filters = [{"key": "Target", "value": self.instance}]
        for session in self.at(run).pages("ssm.DescribeSessions", "Sessions", State="Active", Filters=filters):
            if session.get("Reason") == self.reason:
                return Session(id=str(session["SessionId"]), token="", url="")
        return None
