"""What becomes of a failed step in a real guest."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy import events
from packerpy.errors import ProvisionError
from packerpy.values import Command
from tests.execute.conftest import Builder
from tests.execute.test_control import KeyedFlaky
from tests.guests import Booted

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]


def test_asked_about_a_failed_step(builder: Builder, booted: Booted) -> None:
    """The failed guest can be worked in; a retry begins on the guest as it was before the step; giving up cleans up in it."""
    booted.give(builder.folder / "cache")
    source = attrs.evolve(booted.spec, shutdown="fast", generalize=False)
    before = pp.Shell("echo before > /before")
    seen: list[str] = []

    def look(failure: Any) -> None:
        with closing(failure.reach()) as channel:
            seen.append(channel.run(Command(line="cat /before; cd / && echo try-*")).stdout)

    def retry(failure: Any) -> str:
        look(failure)
        assert failure.can_retry
        return "retry"

    def give_up(failure: Any) -> str:
        look(failure)
        return "clean"

    KeyedFlaky.tries.clear()
    after = pp.Shell("test -e /before && test ! -e /try-1 && test -e /try-2")
    builder(pp.Image("one", source, provision=[before, KeyedFlaky(1), after]), on_error="ask", ask=retry)
    cleanup = pp.Shell("echo the guest of $(ls /try-*) is cleaned")
    with pytest.raises(ProvisionError, match="try 3") as failed:
        builder(
            pp.Image("two", source, provision=[before, KeyedFlaky(9)], error_cleanup=[cleanup]),
            on_error="ask",
            ask=give_up,
        )
    assert seen == ["before\ntry-1\n", "before\ntry-3\n"]
    assert getattr(failed.value, "__notes__", []) == []
    assert "the guest of /try-3 is cleaned" in "".join(event.text for event in builder.of(events.TaskOutput))
    assert builder.leftovers == []
