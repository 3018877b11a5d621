"""The channel that is none."""

from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.none import NoCommunicator
from packerpy.errors import CommunicatorError
from packerpy.testing import make_run
from packerpy.values import Command, Endpoint, Machine


def test_every_use_says_what_to_do(tmp_path: Path) -> None:
    """Commands and files are refused with a way out; closing is always possible."""
    run = make_run(tmp_path)
    spec = NoCommunicator()
    assert list(spec.check()) == []
    channel = spec.load().connect(run, Machine(id="m", endpoint=Endpoint(), communicator=spec))
    for use in (
        lambda: channel.run(Command(line="true")),
        lambda: channel.put(tmp_path, PurePosixPath("/x")),
        lambda: channel.get(PurePosixPath("/x"), tmp_path),
    ):
        with pytest.raises(CommunicatorError, match="has no communicator"):
            use()
    channel.close()
    run.close(failed=False)
