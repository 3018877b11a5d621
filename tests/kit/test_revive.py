"""What is said to a restored machine; that it helps is shown with real guests."""

import re
import time

import pytest

from packerpy.errors import SourceError
from packerpy.kit.revive import revive
from packerpy.testing import RecordingChannel
from packerpy.testing.run import make_run
from packerpy.values import Completed


@pytest.fixture
def run(tmp_path):
    """A real run, undone at the end of the test."""
    made = make_run(tmp_path)
    yield made
    made.close(failed=True)


def test_clock_and_randomness_are_sent_as_root(run):
    """The host's time of now, and fresh bytes that no command line shows."""
    channel = RecordingChannel()
    revive(run, channel)
    revive(run, channel)
    one, two = channel.commands
    assert one.sudo
    assert one.stdin != two.stdin
    assert len(one.stdin) == 64
    said = float(re.search(r"date -u -s @([\d.]+)", one.line)[1])
    assert -0.001 <= time.time() - said < 60  # it is rounded to milliseconds


def test_a_clock_that_cannot_be_set_is_an_error(run):
    """Whatever ran next would date its files from the past."""
    refused = RecordingChannel({"date": Completed(exit_status=1, stderr="sudo: a password is required")})
    with pytest.raises(SourceError, match="clock") as caught:
        revive(run, refused)
    assert "password" in caught.value.details


def test_a_missing_route_is_told(run):
    """It may have been so when the machine was saved, so it is no error."""
    revive(run, RecordingChannel({"date": Completed(exit_status=0, stdout="none\n")}))
    assert any("no default route" in getattr(event, "text", "") for event in run.events)
