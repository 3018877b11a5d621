"""Who gets the host's resources."""

from __future__ import annotations

from packerpy.execute.tokens import Capacity, Tokens
from packerpy.values import Resources


def test_memory() -> None:
    """What does not fit waits until enough was given back."""
    tokens = Tokens(Capacity(memory=24, cpus=4))
    assert tokens.take("a", "qemu", Resources(memory=16))
    assert not tokens.take("b", "qemu", Resources(memory=16))
    tokens.give_back("a")
    assert tokens.take("b", "qemu", Resources(memory=16))


def test_what_exceeds_the_host_runs_alone() -> None:
    """A machine larger than the host is started when no other machine runs, rather than never."""
    tokens = Tokens(Capacity(memory=24, cpus=4))
    assert tokens.take("big", "qemu", Resources(memory=100))
    assert not tokens.take("small", "qemu", Resources(memory=1))
    assert tokens.take("post", "", Resources())


def test_jobs_platforms_exclusive() -> None:
    """The number of jobs, a platform's limit and exclusive things each hold one back."""
    tokens = Tokens(Capacity(memory=24, cpus=4, jobs=2, platforms={"qemu": 1}))
    assert tokens.take("a", "qemu", Resources(exclusive=("vnc",)))
    assert not tokens.take("b", "qemu", Resources())
    assert not tokens.take("c", "other", Resources(exclusive=("vnc",)))
    assert tokens.take("d", "other", Resources())
    assert not tokens.take("e", "other", Resources())


def test_this_host_has_something() -> None:
    """The host's capacity is read from the kernel."""
    capacity = Capacity.of_host()
    assert capacity.memory > 1 << 28
    assert capacity.cpus >= 1
