"""Runs two ways of doing the same thing in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import attrs


@attrs.frozen(kw_only=True)
class Case:
    """The same work, done twice.

    :ivar name: what it is.
    :ivar packerpy: do it with packerpy.
    :ivar packer: do it with the real packer.
    :ivar goal: the ratio not to exceed; ``None`` when there is none.
    """

    name: str
    packerpy: Callable[[], None]
    packer: Callable[[], None]
    goal: float | None = None


@attrs.frozen(kw_only=True)
class Comparison:
    """Seconds of each round."""

    case: Case
    packerpy: list[float]
    packer: list[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: what disturbs a round disturbs both of its halves."""
        return statistics.median(a / b for a, b in zip(self.packerpy, self.packer, strict=True))


def compare(case: Case, rounds: int) -> Comparison:
    """A B, A B, A B."""
    result = Comparison(case=case, packerpy=[], packer=[])
    for number in range(rounds):
        result.packerpy.append(_seconds(case.packerpy))
        result.packer.append(_seconds(case.packer))
        print(
            f"{case.name}, round {number + 1}: packerpy {result.packerpy[-1]:.2f} s, packer {result.packer[-1]:.2f} s",
            flush=True,
        )
    return result


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(results: list[Comparison]) -> str:
    """A Markdown table of medians and ratios."""
    lines = ["| case | packerpy, median s | packer, median s | ratio | goal |", "| --- | --- | --- | --- | --- |"]
    for result in results:
        ours, theirs = statistics.median(result.packerpy), statistics.median(result.packer)
        goal = f"≤ {result.case.goal:g}" if result.case.goal is not None else ""
        lines.append(f"| {result.case.name} | {ours:.2f} | {theirs:.2f} | {result.ratio:.2f} | {goal} |")
    return "\n".join(lines)
