"""Waiting for an agent, losing it, finding it again."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from pathlib import Path

import attrs
import pytest

from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.communicators.agent.session import AgentSession
from packerpy.communicators.agent.wire import Ask, Wire, encoded
from packerpy.errors import CancelledError, CommunicatorError, Disconnected
from packerpy.testing import TestRun
from packerpy.values import Command, Endpoint
from tests.communicators.agent.agent_process import Agent, await_gone

pytestmark = pytest.mark.root


def test_an_agent_that_starts_late(agent: Agent, run: TestRun) -> None:
    """It is noticed at once."""
    agent.stop()
    opened: list[float] = []

    def connect() -> None:
        channel = agent.connect(run)
        opened.append(time.monotonic())
        channel.close()

    waiting = threading.Thread(target=connect)
    waiting.start()
    threading.Event().wait(0.5)  # nothing to wait for: it is the absence of an agent that is tried
    started = time.monotonic()
    agent.start()
    waiting.join(30)
    assert opened[0] - started < 10


def test_no_socket(agent: Agent, run: TestRun) -> None:
    """A machine without one, and one whose socket never comes, are told."""
    agent.stop()
    with pytest.raises(CommunicatorError, match=r"could not be reached within 0\.3 s"):
        agent.connect(run, GuestAgent(timeout=0.3))
    bare = attrs.evolve(agent.machine, endpoint=Endpoint(host="localhost"))
    with pytest.raises(CommunicatorError, match="has no socket"):
        GuestAgent().load().connect(run, bare)


@pytest.fixture
def deaf(tmp_path: Path, agent: Agent):
    """A socket that takes connections and says nothing, as QEMU's does before the agent starts."""
    agent.stop()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(agent.socket))
        listening.listen(5)
        yield listening


def test_nobody_speaks(deaf: socket.socket, agent: Agent, run: TestRun) -> None:
    """The error says that the socket is there and the agent is not, and what to look at."""
    with pytest.raises(CommunicatorError, match=r"did not answer within 0\.5 s") as caught:
        agent.connect(run, GuestAgent(timeout=0.5))
    assert "nobody speaks" in str(caught.value)
    assert "qemu-guest-agent" in str(caught.value)


def test_a_machine_that_dies_and_a_cancel_while_waiting(deaf: socket.socket, agent: Agent, run: TestRun) -> None:
    """Both end the wait at once."""
    started = time.monotonic()
    with pytest.raises(CommunicatorError, match="machine is gone") as caught:
        GuestAgent(timeout=60).load().connect(run, agent.machine, died=lambda: "it burned")
    assert "it burned" in str(caught.value)
    threading.Timer(0.3, run.cancellation.request).start()
    with pytest.raises(CancelledError):
        agent.connect(run, GuestAgent(timeout=60))
    assert time.monotonic() - started < 30


def test_stale_answers_are_dropped(deaf: socket.socket) -> None:
    """What another client asked, or what was asked before a snapshot, is never taken for an answer to us."""

    def serve() -> None:
        peer, _ = deaf.accept()
        with peer, peer.makefile("rb") as lines:
            peer.sendall(b'{"return": 77}\n{"return": {"pid": 3}, "id": "else-1"}\nhalf a li')
            for line in lines:
                asked = json.loads(line.rpartition(b"\xff")[2])
                if asked["execute"] == "guest-sync-delimited":
                    number = asked["arguments"]["id"]
                    peer.sendall(b'{"error": {"desc": "stray"}}\n\xff{"return": %d}\n' % number)
                else:
                    peer.sendall(b'{"return": "stale", "id": "else-2"}\n')
                    peer.sendall(json.dumps({"return": "mine", "id": asked["id"]}).encode() + b"\n")

    threading.Thread(target=serve, daemon=True).start()
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(deaf.getsockname())
    wire = Wire(connected)
    assert wire.synchronise(5, _nothing)
    assert wire.ask(Ask("guest-ping"), Ask("guest-ping"), check=_nothing) == ["mine", "mine"]
    wire.close()


def test_a_lost_answer_is_noticed(deaf: socket.socket) -> None:
    """When a later question is answered, an earlier one will not be: the machine was restored, or the agent restarted."""

    def serve() -> None:
        peer, _ = deaf.accept()
        with peer, peer.makefile("rb") as lines:
            next(lines)
            asked = json.loads(next(lines))
            peer.sendall(json.dumps({"return": {}, "id": asked["id"]}).encode() + b"\n")
            next(lines, None)

    threading.Thread(target=serve, daemon=True).start()
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(deaf.getsockname())
    wire = Wire(connected)
    first, second = wire.post(Ask("guest-ping"), Ask("guest-ping"), check=_nothing)
    assert wire.wait(second, _nothing).value() == {}
    with pytest.raises(Disconnected, match="before it answered"):
        wire.wait(first, _nothing).value()
    wire.close()


def test_a_request_cut_in_two(agent: Agent, run: TestRun) -> None:
    """A cancel in the middle of a large request leaves a connection that goes on to work."""
    channel = agent.connect(run)
    wire = channel.session.wire
    assert agent.process is not None
    os.kill(agent.process.pid, 19)  # stopped, so that the socket's buffer fills up

    class Stop(Exception):
        """Enough."""

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        wire.post(Ask("guest-file-write", {"handle": 1, "buf-b64": encoded(bytes(3 << 20))}), check=check)
    os.kill(agent.process.pid, 18)
    started = time.monotonic()
    assert channel.run(Command(line="echo fine")).stdout == "fine\n"
    assert time.monotonic() - started < 20, "nobody waits for an answer to half a request"
    channel.close()


def _nothing() -> None:
    """No reason to stop waiting."""


def test_what_is_known_is_not_asked_again(agent: Agent, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel to a clone begins with what one to the saved machine knew: nothing is run before its first command."""
    first = agent.connect(run)
    known = first.known()
    first.session.wire.close()  # as when the machine is saved: its folder stays
    machine = attrs.evolve(agent.machine, endpoint=attrs.evolve(agent.machine.endpoint, known=known))
    asked: list[str] = []
    monkeypatch.setattr(AgentSession, "capture", lambda _, script: asked.append(script))
    channel = GuestAgent(timeout=20).load().connect(run, machine)
    assert asked == []
    assert (channel.session.folder, channel.session.boot) == (first.session.folder, first.session.boot)
    assert channel.session.abilities == first.session.abilities
    for word in ("one", "two"):
        assert channel.run(Command(line=f"echo {word}")).stdout == f"{word}\n"
    monkeypatch.undo()
    channel.close()
    await_gone(Path(first.session.folder))


def test_what_is_known_of_another_user_is_no_use(agent: Agent, run: TestRun) -> None:
    """Then everything is asked."""
    first = agent.connect(run)
    endpoint = attrs.evolve(agent.machine.endpoint, known={**first.known(), "user": "somebody"})
    first.close()
    channel = agent.connect(run, machine=attrs.evolve(agent.machine, endpoint=endpoint))
    assert not channel.session.resumed
    assert channel.session.folder != first.session.folder
    assert channel.run(Command(line="echo fine")).stdout == "fine\n"
    channel.close()


def test_reconnect_to_what_still_runs(channel: AgentChannel) -> None:
    """Commands go on to work; so they do when the machine's memory folder is not as it was."""
    channel.reconnect(10)
    assert channel.run(Command(line="echo again")).stdout == "again\n"


def test_reconnect_after_a_restart(agent: Agent, run: TestRun) -> None:
    """A new agent at the same place is found, and the old one's answers are not waited for."""
    channel = agent.connect(run)
    old = channel.session.boot
    agent.stop()
    with pytest.raises(Disconnected):
        channel.run(Command(line="true"))
    agent.start()
    channel.reconnect(20)
    assert channel.session.boot == old
    assert channel.run(Command(line="echo again")).stdout == "again\n"
    channel.close()


def test_reconnect_waits_for_a_machine_to_go_down(channel: AgentChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it says that it is stopping, it is the old one."""
    from packerpy.communicators.agent import guest_script

    boot = channel.session.boot
    says = [f"echo {boot}; echo stopping", f"echo {boot}; echo stopping", "echo another-boot"]
    monkeypatch.setattr(guest_script, "going_down", lambda: says.pop(0))
    channel.reconnect(20)
    assert says == []
    monkeypatch.setattr(guest_script, "going_down", lambda: f"echo {boot}; echo stopping")
    with pytest.raises(CommunicatorError, match="going down"):
        channel.reconnect(0.5)


def test_a_machine_without_network(agent: Agent, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, said, and gone on without; where there is one, nothing is said."""
    from packerpy.communicators.agent import guest_script

    script = guest_script.await_network(1).replace("/etc/resolv.conf", "/no/where")
    monkeypatch.setattr(guest_script, "await_network", lambda seconds: script)
    agent.connect(run, GuestAgent(timeout=20, network=1)).close()
    run.flush()
    assert any("has not got" in str(event) and "a name server within 1 s" in str(event) for event in run.events)


@pytest.mark.parametrize("first_to_close", [0, 1])
def test_two_channels_to_one_agent(agent: Agent, run: TestRun, first_to_close: int) -> None:
    """An agent serves one client; who looks into a machine while its build waits shares the build's connection."""
    channels = [agent.connect(run), agent.connect(run, GuestAgent(timeout=20))]
    try:
        assert [channel.run(Command(line="echo here")).stdout for channel in channels] == ["here\n"] * 2
        other = channels.pop(first_to_close)
        other.close()
        assert channels[0].run(Command(line="echo still")).stdout == "still\n"
    finally:
        for channel in channels:
            channel.close()
    third = agent.connect(run)
    assert third.run(Command(line="echo anew")).stdout == "anew\n"
    third.close()
