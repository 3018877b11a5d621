"""A real agent of a test's own, on this host, and fixtures around it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.kit import process
from packerpy.testing import TestRun, make_run
from packerpy.values import Endpoint, Machine


class Agent:
    """One process; ``start`` and ``stop`` as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "qga"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may not listen yet."""
        binary = process.find_tool("qemu-ga", package="qemu-guest-agent")
        self.process = process.spawn(
            [binary, "-m", "unix-listen", "-p", self.socket, "-t", self.folder, "-f", self.folder / "pid"]
        )

    def stop(self) -> None:
        """End it, without a word to its clients."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.socket.unlink(missing_ok=True)

    @property
    def machine(self) -> Machine:
        """What a platform would tell."""
        return Machine(id="host", endpoint=Endpoint(path=self.socket), communicator=GuestAgent())

    def connect(self, run: TestRun, spec: GuestAgent | None = None, machine: Machine | None = None) -> AgentChannel:
        """A channel to it."""
        channel = (spec or GuestAgent(timeout=20, network=0)).load().connect(run, machine or self.machine)
        assert isinstance(channel, AgentChannel)
        return channel


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A real run, undone at the end of the test."""
    made = make_run(tmp_path, name="web.qemu")
    yield made
    assert made.close(failed=True) == ()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """A running agent."""
    folder = Path(tempfile.mkdtemp(prefix="qga-"))  # the path of a socket has to be short
    made = Agent(folder)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture
def channel(agent: Agent, run: TestRun) -> Iterator[AgentChannel]:
    """An open channel, of which nothing is left in the end."""
    made = agent.connect(run)
    folder = made.session.folder
    yield made
    made.close()
    if agent.process is not None:
        await_gone(Path(folder))
        for left in Path("/var/tmp").glob(f"packerpy-{Path(folder).name}-*"):
            await_gone(left)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def await_gone(folder: Path) -> None:
    """The agent removes it a moment after the channel was closed."""
    deadline = time.monotonic() + 10
    while folder.exists():
        assert time.monotonic() < deadline, f"{folder} is still there"
        os.sched_yield()
