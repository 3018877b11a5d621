"""The fixtures of a real agent."""

from tests.communicators.agent.agent_process import agent, channel, run

__all__ = ["agent", "channel", "run"]
