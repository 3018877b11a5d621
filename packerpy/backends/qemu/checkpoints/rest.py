"""File systems of a running machine, at rest for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from packerpy.communicators.agent.wire import Ask
from packerpy.contracts import Communicator
from packerpy.errors import CommunicatorError
from packerpy.values import Command


@contextmanager
def at_rest(channel: Communicator) -> Iterator[None]:
    """Nothing is left to be written that was written before, as far as the channel lets us see to it.

    The guest agent freezes all file systems, so that their journals are empty too. Through another channel what was
    written is put on the disk, and a journal may have to be replayed at the next boot, as after a power cut.
    """
    from packerpy.communicators.agent.channel import AgentChannel

    if not isinstance(channel, AgentChannel):
        channel.run(Command(line="sync", sudo=True, timeout=300.0))
        yield
        return
    session = channel.session
    session.wire.ask(Ask("guest-fsfreeze-freeze"), check=session.check)
    try:
        yield
    finally:
        thawed = session.wire.ask(Ask("guest-fsfreeze-thaw"), check=session.check_alive)[0]
        if not thawed:
            raise CommunicatorError("the guest agent did not thaw what it had frozen")
