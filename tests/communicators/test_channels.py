"""Every channel keeps to the same contract: the suite that packerpy.testing offers, over all of ours."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packerpy.communicators.local import Local
from packerpy.communicators.ssh import SSH
from packerpy.contracts import Communicator
from packerpy.testing import CHANNEL_CHECKS, Subject, TestRun, make_run
from packerpy.values import Endpoint, Machine
from tests.communicators.agent.agent_process import Agent
from tests.communicators.local.conftest import tree
from tests.communicators.ssh.sshd_server import Sshd
from tests.communicators.winrm.conftest import connect as connect_winrm
from tests.communicators.winrm.conftest import spec_for
from tests.communicators.winrm.wsman_server import WSManServer

__all__ = ["tree"]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A running server."""
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """A running agent."""
    folder = Path(tempfile.mkdtemp(prefix="qga-"))  # the path of a socket has to be short
    made = Agent(folder)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def wsman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WSManServer]:
    """A running server."""
    server = WSManServer(tmp_path_factory.mktemp("wsman"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A run of the test's own."""
    made = make_run(tmp_path)
    yield made
    made.close(failed=False)


LOCAL = Machine(id="host", endpoint=Endpoint(), communicator=Local(host=True))


@pytest.fixture(params=["ssh", "sftp", "scp", "agent", "tree", "host", "winrm"])
def subject(request: pytest.FixtureRequest, run: TestRun, tmp_path: Path) -> Iterator[Subject]:
    """An open channel of each kind, with an empty folder on both sides."""
    here = tmp_path / "here"
    here.mkdir()
    made = _open(request, run, here, tmp_path)
    yield made
    made.channel.close()


def _open(request: pytest.FixtureRequest, run: TestRun, here: Path, folder: Path) -> Subject:
    there = folder / "there"
    there.mkdir()
    if request.param == "tree":
        root: Path = request.getfixturevalue("tree")
        there = root / "tmp" / secrets.token_hex(4)
        there.mkdir()
        machine = Machine(id="tree", endpoint=Endpoint(path=root), communicator=Local())
        return Subject(
            channel=Local().load().connect(run, machine), run=run, here=here, there=Path("/") / there.relative_to(root)
        )
    openers: dict[str, Callable[[], Communicator]] = {
        "host": lambda: Local(host=True).load().connect(run, LOCAL),
        "agent": lambda: request.getfixturevalue("agent").connect(run),
        "winrm": lambda: connect_winrm(run, spec_for(request.getfixturevalue("wsman"), there)),
    }
    if request.param in openers:
        channel = openers[request.param]()
    else:
        transfer = "shell" if request.param == "ssh" else request.param
        channel = SSH(timeout=20, file_transfer=transfer).load().connect(run, request.getfixturevalue("sshd").machine())
    return Subject(channel=channel, run=run, here=here, there=there, modes=request.param != "winrm")


@pytest.mark.root
@pytest.mark.parametrize("check", CHANNEL_CHECKS, ids=lambda check: check.__name__)
def test_channel(subject: Subject, check: Callable[[Subject], None]) -> None:
    """The channel keeps to the contract."""
    check(subject)
