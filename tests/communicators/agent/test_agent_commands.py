"""Commands through a real agent."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.agent.channel import AgentChannel
from packerpy.errors import CancelledError, CommunicatorError, Disconnected
from packerpy.testing import TestRun
from packerpy.values import Command
from tests.communicators.agent.agent_process import Agent
from tests.communicators.processes import await_death

pytestmark = pytest.mark.root


def test_a_signal_is_128_and_its_number(channel: AgentChannel) -> None:
    """As in a shell; also when the whole process group goes, which the agent does not belong to."""
    assert channel.run(Command(line="kill -TERM $$")).exit_status == 143
    assert channel.run(Command(line="kill -9 0")).exit_status == 137
    assert channel.run(Command(line="true")).ok


def test_output_comes_while_the_command_runs(channel: AgentChannel, tmp_path: Path) -> None:
    """The command goes on only after the sink has seen its first line."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[str] = []

    def sink(stream: str, text: str) -> None:
        seen.append(text)
        if "first" in text:
            gate.write_text("go\n")

    done = channel.run(Command(line=f"echo first; read x <{gate}; echo $x", timeout=20), sink=sink)
    assert done.stdout == "".join(seen) == "first\ngo\n"


def test_a_command_finds_a_usual_place(channel: AgentChannel) -> None:
    """Home folder, umask, search path, and a terminal's absence are those of a plain login of root."""
    line = 'pwd; umask; echo "$HOME $USER $#"; command -v ip >/dev/null || command -v mount; cat'
    assert channel.run(Command(line=line)).stdout.splitlines()[:3] == ["/root", "0022", "/root root 0"]


def test_environment_is_set_and_in_no_argument_list(channel: AgentChannel) -> None:
    """Any value comes through as it is, and no process of the machine shows it in its arguments."""
    value = "s3cr3t'\"\\n\n\ttab $HOME `x` %s é"
    line = "printf %s \"$V\"; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >&2"
    done = channel.run(Command(line=line, env={"V": value}, stdin=b"s3cr3t"))
    assert done.stdout == value
    assert done.stderr
    assert "s3cr3t" not in done.stderr


def test_pty(channel: AgentChannel) -> None:
    """A terminal is one, takes long variables, and has plain line ends."""
    line = 'test -t 0 && test -t 1; echo $?; echo "$V"; echo "${PACKERPY_LINE-unset}"; exit 5'
    done = channel.run(Command(line=line, pty=True, env={"V": "xy" * 3000}, timeout=20))
    assert done.stdout == "0\n" + "xy" * 3000 + "\nunset\n"
    assert done.exit_status == 5


def test_another_user(agent: Agent, run: TestRun) -> None:
    """Commands run as the declared user in that user's place, `sudo` as root; an unknown user is an error."""
    channel = agent.connect(run, GuestAgent(user="nobody", timeout=20, network=0))
    done = channel.run(Command(line='id -un; id -Gn; echo "$USER"'))
    assert done.stdout.split() == ["nobody", "nogroup", "nobody"]
    assert channel.run(Command(line="id -un", sudo=True)).stdout == "root\n"
    channel.close()
    with pytest.raises(CommunicatorError, match="no user"):
        agent.connect(run, GuestAgent(user="no-such-user", timeout=20, network=0))


@pytest.mark.parametrize("pty", [False, True])
def test_a_timeout_kills_the_remote_group(channel: AgentChannel, tmp_path: Path, pty: bool) -> None:
    """Not only the shell: what it started is gone as well. The error has the last output."""
    pids = tmp_path / "pids"
    line = f"echo working; sleep 300 & echo $! $$ >{pids}; sleep 301"
    with pytest.raises(CommunicatorError, match="did not end within 3 s and was killed") as caught:
        channel.run(Command(line=line, timeout=3, pty=pty))
    assert "working" in str(caught.value)
    for pid in pids.read_text().split():
        await_death(int(pid))


def test_a_cancel_kills_the_remote_group(channel: AgentChannel, run: TestRun, tmp_path: Path) -> None:
    """At once, and as a cancel."""
    pids = tmp_path / "pids"
    asked: list[float] = []

    def sink(stream: str, text: str) -> None:
        asked.append(time.monotonic())
        run.cancellation.request()

    with pytest.raises(CancelledError):
        channel.run(Command(line=f"echo $$ >{pids}; echo ready; sleep 300", timeout=60), sink=sink)
    assert time.monotonic() - asked[0] < 10
    await_death(int(pids.read_text()))


def test_a_sink_that_fails_ends_the_command(channel: AgentChannel, tmp_path: Path) -> None:
    """Nothing goes on that nobody waits for."""
    pids = tmp_path / "pids"

    def sink(stream: str, text: str) -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        channel.run(Command(line=f"echo $$ >{pids}; echo ready; sleep 300"), sink=sink)
    await_death(int(pids.read_text()))


def test_a_lost_agent(channel: AgentChannel, agent: Agent) -> None:
    """An agent that goes away in the middle of a command is told apart from a command that fails."""
    with pytest.raises(Disconnected):
        channel.run(Command(line="echo $$; sleep 2"), sink=lambda stream, text: agent.stop())
    with pytest.raises(Disconnected):
        channel.run(Command(line="true"))


def test_a_background_process_that_holds_the_output_open(channel: AgentChannel) -> None:
    """A careless daemon does not keep the command from ending."""
    started = time.monotonic()
    done = channel.run(Command(line="sleep 60 & echo $!; exit 4", timeout=30))
    assert done.exit_status == 4
    assert time.monotonic() - started < 20
    os.kill(int(done.stdout), 9)


def test_nothing_of_ours_is_left(channel: AgentChannel, agent: Agent) -> None:
    """Neither open files in the agent, nor many files in the machine, nor threads once the channel is closed."""
    assert agent.process is not None
    descriptors = Path(f"/proc/{agent.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(40):
        channel.run(Command(line="true"))
    channel.run(Command(line="true"))
    assert len(list(descriptors.iterdir())) <= before + 2
    assert len(list(Path(channel.session.folder).iterdir())) <= 40
    channel.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "packerpy-agent"]
