"""Rounds: all workers in turn, again and again, so that noise hits all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .peers.loop import Timed

#: How many times as often each trial runs as the one before.
_GROWTH: Final = 4


class Runs(Protocol):
    """What takes part in rounds."""

    @property
    def name(self) -> str:
        """Its column."""
        ...

    def run(self, times: int) -> Timed:
        """Run so many times."""
        ...


@dataclass(frozen=True)
class Plan:
    """How long to measure."""

    rounds: int = 9
    #: How long a round of one worker takes, roughly.
    seconds: float = 0.3


QUICK: Final = Plan(rounds=3, seconds=0.1)


@dataclass(frozen=True)
class Figure:
    """A median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Sequence[float]) -> Figure:
        """The figure of what was found in the rounds."""
        if len(found) == 1:
            return cls(found[0], found[0], found[0])
        low, median, high = statistics.quantiles(found, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Measured:
    """What the rounds of one case gave: for each worker as many entries as there were rounds."""

    #: Seconds for one call.
    seconds: Mapping[str, Sequence[float]]
    #: Seconds of each call by itself, all rounds together; empty where they were not timed.
    each: Mapping[str, Sequence[float]]
    #: The share of a core that the server took meanwhile.
    server: float | None

    def speed(self, name: str, reference: str) -> Figure:
        """How many times as fast as ``reference``: the ratios of the rounds, in pairs."""
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return Figure.of([theirs / own for own, theirs in pairs])

    def figures(self, convert: Callable[[float], float]) -> dict[str, Figure]:
        """The figure of each worker, made of the seconds for one call."""
        return {
            name: Figure.of([convert(each) for each in found])
            for name, found in self.seconds.items()
        }

    def percentile(self, name: str, percent: int) -> float:
        """Seconds that so many percent of the calls took at most."""
        cuts = statistics.quantiles(self.each[name], n=100, method="inclusive")
        return cuts[percent - 1]


def calls_in(worker: Runs, seconds: float) -> int:
    """How many calls take so long; trying it warms the worker up."""
    times = 1
    while True:
        took = worker.run(times).seconds
        if took >= seconds / _GROWTH:
            return max(1, round(times * seconds / took))
        times *= _GROWTH


def alternate(
    workers: Sequence[Runs], plan: Plan, server_cpu: Callable[[], float] | None = None
) -> Measured:
    """Run all workers in each round, each round beginning with another one."""
    times = {worker.name: calls_in(worker, plan.seconds) for worker in workers}
    seconds: dict[str, list[float]] = {worker.name: [] for worker in workers}
    each: dict[str, list[float]] = {worker.name: [] for worker in workers}
    busy = server_cpu() if server_cpu else 0.0
    wall = 0.0
    for number in range(plan.rounds):
        first = number % len(workers)
        for worker in (*workers[first:], *workers[:first]):
            timed = worker.run(times[worker.name])
            wall += timed.seconds
            calls = len(timed.each) or times[worker.name]
            seconds[worker.name].append(timed.seconds / calls)
            each[worker.name] += timed.each
    share = (server_cpu() - busy) / wall if server_cpu else None
    return Measured(seconds, each, share)
